"""Every command that opens a checkpoint, on one of them."""

import subprocess
from pathlib import Path

from tests.noise import write_noise
from tests.pipeline.command_line import secateur

DOORS: dict[str, list[str]] = {
    "eval": ["eval", "MODEL", "--corpus", "CLIPS"],
    "prune": ["prune", "MODEL", "--method", "mp_global", "--sparsity", "0.5", "-o", "OUT"],
    "sensitivity": ["sensitivity", "MODEL", "--corpus", "CLIPS", "--clips", "2"],
    "sweep": [
        *("sweep", "--model", "MODEL", "--methods", "mp_global", "--sparsities", "0.5"),
        *("--corpus", "CLIPS", "-o", "OUT.json"),
    ],
    "run": ["run", "RECIPE"],
    "recipe check": ["recipe", "check", "RECIPE"],
    "export-optimum": ["export-optimum", "MODEL", "OUT", "--clips", "CLIPS"],
    "load": ["load", "PACKED", "-o", "OUT"],
}


def through(
    door: str, folder: Path, place: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """What it needs, and what it writes, is in `place`: out, out.json, packed, recipe.toml."""
    clips, packed, recipe = place / "clips", place / "packed", place / "recipe.toml"
    if not clips.exists():
        write_noise(clips, (1, 1, 1, 1))
    recipe.write_text(
        f'name = "t"\noutput = "{place / "out"}"\nmodels = ["{folder}"]\n'
        f'corpus.evaluate = "{clips}"\nprune.methods = ["mp_global"]\nprune.sparsities = [0.5]\n'
    )
    names = {"MODEL": folder, "CLIPS": clips, "OUT": place / "out", "RECIPE": recipe}
    names |= {"PACKED": packed, "OUT.json": place / "out.json"}
    if "PACKED" in DOORS[door]:
        assert secateur("pack", str(folder), "-o", str(packed)).returncode == 0
    environment |= {"SECATEUR_DATA": str(place / "data")}
    return secateur(*(str(names.get(word, word)) for word in DOORS[door]), **environment)
