"""Let torchaudio, and so transformers, import beside a CPU-only torch on Linux x86-64.

torchaudio's wheel for that platform links its C++ extension against CUDA libraries. Nothing used
here needs the extension, so an empty one stands in for it where those libraries are absent.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def allow_import() -> None:
    """Call before the first import of torchaudio or transformers. Imports nothing heavy."""
    if sys.platform != "linux" or "torchaudio" in sys.modules:
        return
    torch = importlib.util.find_spec("torch")
    if torch is None or torch.origin is None:
        return
    if (Path(torch.origin).parent / "lib" / "libc10_cuda.so").exists():
        return
    stub = ModuleType("torchaudio._extension")
    stub.fail_if_no_align = lambda function: function  # type: ignore[attr-defined]
    stub._IS_ALIGN_AVAILABLE = False  # type: ignore[attr-defined]
    stub._IS_TORCHAUDIO_EXT_AVAILABLE = False  # type: ignore[attr-defined]
    sys.modules.setdefault("torchaudio._extension", stub)
