"""A pruned model out of the workstation: ONNX graphs, bundles, parity."""
