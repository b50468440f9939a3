"""What libraries would report to their makers, switched off before any of them is imported.

onnxruntime reads its variable once, while it is imported, and then keeps an identifier of the
machine and a database of events in the user's cache, and looks up the name of a host.
"""

import os

_OFF = {
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
}


def switch_off() -> None:
    """What a user has set stays as it is."""
    for name, value in _OFF.items():
        os.environ.setdefault(name, value)
