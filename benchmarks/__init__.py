"""Timings of this machine, by hand: figures for the docs, never assertions in tests."""

import speech  # noqa: F401 - which switches telemetry off, before any library is imported
