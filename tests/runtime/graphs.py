"""Bytes of ONNX files, made without exporting anything."""

from runtime.packed.protobuf import head

_MODEL_DOC, _MODEL_GRAPH = 6, 7


def empty_graph(text: bytes = b"") -> bytes:
    """A model with nothing in it but a text: a bundle opens with it, and onnxruntime does not."""
    return head(_MODEL_DOC, len(text)) + text + head(_MODEL_GRAPH, 0)
