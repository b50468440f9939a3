"""From a recipe to bundles and numbers, and the `secateur` command."""

import speech  # noqa: F401 - which switches telemetry off, before any library is imported
