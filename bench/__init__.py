"""Measures bundles on the machine they are for, and keeps the numbers."""
