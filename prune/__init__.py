"""Which weights to cut: families, statistics, scores, allocation, structure, schedules."""

import speech  # noqa: F401 - which switches telemetry off, before any library is imported
