"""Compare variants in the terminal."""

import speech  # noqa: F401 - which switches telemetry off, before any library is imported
