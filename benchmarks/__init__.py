"""Timings of this machine, by hand: figures for the docs, never assertions in tests."""
