"""Whether a failure means that memory ran out: libraries have one exception each, or none."""

#: What they say; onnxruntime only passes on what it was told.
_SAID = (
    "bad_alloc",
    "MemoryError",
    "Failed to allocate memory",
    "Cannot allocate memory",
    "cannot allocate memory",
    "Unable to allocate",
    "Memory allocation still failed",
    "failed to map segment",
)


def tells_of_memory(text: str) -> bool:
    return any(words in text for words in _SAID)
