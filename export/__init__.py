"""A pruned model out of the workstation: ONNX graphs, bundles, parity."""

import speech  # noqa: F401 - which switches telemetry off, before any library is imported
