"""Measures on other machines, through the OpenSSH client that their owner already uses."""
