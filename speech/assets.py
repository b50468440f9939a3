"""Where the bundled demo clips and models lie: `assets/` of a source checkout."""

import os
from pathlib import Path

BUNDLED_MODELS = ("demo-whisper", "demo-sew")


def assets_folder() -> Path:
    """`SECATEUR_ASSETS`, or the folder beside the packages; it may not exist."""
    if named := os.environ.get("SECATEUR_ASSETS"):
        return Path(named)
    return Path(__file__).resolve().parent.parent / "assets"


def bundled_model(name: str) -> Path | None:
    """The folder of `demo-whisper` or `demo-sew`, when it is that and is here."""
    folder = assets_folder() / name
    if name in BUNDLED_MODELS and (folder / "config.json").is_file():
        return folder
    return None
