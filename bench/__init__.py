"""Measures bundles on the machine they are for, and keeps the numbers."""

import speech  # noqa: F401 - which switches telemetry off, before any library is imported
