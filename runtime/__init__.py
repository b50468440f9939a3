"""Opens a bundle and turns audio into text on plain onnxruntime. Never torch."""

import speech  # noqa: F401 - which switches telemetry off, before any library is imported
