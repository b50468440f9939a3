"""Opens a bundle and turns audio into text on plain onnxruntime. Never torch."""
