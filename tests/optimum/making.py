"""Run by Secateur's own Python, for the tests that live with optimum: models, and what they say.

python -m tests.optimum.making FOLDER PYTHON_OF_OPTIMUM
"""

import json
import sys
from pathlib import Path
from typing import Any

from export.bundle import write_bundle
from export.optimum.expected import expected_of
from export.optimum.layout import write_optimum_layout
from prune import cpu_torchaudio
from prune.checkpoint import Checkpoint, open_checkpoint
from prune.families.groups import groups
from prune.language import speech_choice
from prune.pruner import Pruner
from prune.structure.slicing import cut
from runtime.recognizer import open_recognizer
from speech.corpora import open_corpus

CLIPS = [clip.samples() for clip in open_corpus("demo:test", limit=5).clips]


def pruned_bundle(name: str, folder: Path) -> list[str]:
    """Half of a demo model's weights zero; what the runtime of a device hears with it."""
    pruner = Pruner(name)
    pruner.prune(0.5, method="mp_global")
    assert pruner.pruned
    bundle = write_bundle(
        pruner.checkpoint,
        folder,
        name=name,
        method="mp_global",
        sparsity=pruner.pruned.sparsity,
        score=None,
        provenance={},
        parity_clips=CLIPS[:1],
    )
    recognizer = open_recognizer(bundle)
    return [recognizer.transcribe(clip).text for clip in CLIPS]


def uneven(folder: Path) -> Checkpoint:
    """Random, bilingual, and with another count of heads or neurons in some layers."""
    cpu_torchaudio.allow_import()
    from tests import tiny_models

    tiny_models.write_whisper(folder, seed=1, multilingual=True)
    checkpoint = open_checkpoint(str(folder))
    known = groups(checkpoint.model)
    for layer, left in {
        "encoder.layers.1.self_attn": 3,
        "decoder.layers.0.self_attn": 2,
        "decoder.layers.1.encoder_attn": 1,
        "decoder.layers.1.fc1": 50,
    }.items():
        cut(checkpoint.model, known[f"model.{layer}"], range(left))
    return checkpoint


def laid_out(checkpoint: Checkpoint, folder: Path, python: Path) -> dict[str, Any]:
    """Write the layout, optimum having listened; what PyTorch says."""
    agreement = write_optimum_layout(checkpoint, folder, CLIPS, python=python)
    whisper = checkpoint.family == "whisper"
    choice = speech_choice(checkpoint.model, None, None) if whisper else {}
    expected = [expected_of(checkpoint, clip, choice) for clip in CLIPS]
    return {
        "optimum": agreement.optimum,
        "choice": choice,
        "tokens": [clip.choices for clip in expected],
    }


def main(folder: Path, python: Path) -> None:
    said: dict[str, Any] = {
        name: pruned_bundle(name, folder / name) for name in ("demo-whisper", "demo-sew")
    }
    sew = open_checkpoint(str(folder / "demo-sew" / "pytorch"))
    said["sew"] = laid_out(sew, folder / "demo-sew-for-optimum", python)
    said["uneven"] = laid_out(uneven(folder / "checkpoint"), folder / "uneven", python)
    (folder / "said.json").write_text(json.dumps(said))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
