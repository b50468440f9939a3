"""What can be told of a recipe's models without opening them, and without a network."""

import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.model_name import ModelName
from pipeline.recipe.section import did_you_mean, nearest
from prune.checkpoint_files import FAMILIES, refuse_misfits
from runtime.bundle import Family
from speech.assets import BUNDLED_MODELS
from speech.parsed import json_from
from speech.readable import expanded

_CTC_PARTS = ("features", "projection", "encoder.attention", "encoder.ffn", "vocabulary")

#: By `model_type`: the components that a sparsity of their own can be given to.
COMPONENTS: dict[str, tuple[str, ...]] = {
    "whisper": (
        *("encoder.attention", "encoder.ffn", "decoder.self_attention"),
        *("decoder.cross_attention", "decoder.ffn", "vocabulary"),
    ),
    "sew": (*_CTC_PARTS, "encoder.upsample"),
    "sew-d": (*_CTC_PARTS, "encoder.upsample"),
    "wav2vec2": (*_CTC_PARTS, "encoder.adapter"),
}

#: Models of the hub that can be asked for, to tell which one was meant.
_WELL_KNOWN = (
    *(f"openai/whisper-{size}" for size in ("tiny", "base", "small", "medium")),
    *(f"openai/whisper-{size}.en" for size in ("tiny", "base", "small", "medium")),
    *("openai/whisper-large-v3", "openai/whisper-large-v3-turbo"),
    *("facebook/wav2vec2-base-960h", "facebook/wav2vec2-large-960h-lv60-self"),
    *("asapp/sew-tiny-100k-ft-ls100h", "asapp/sew-d-tiny-100k-ft-ls100h"),
)

#: How names on the hub begin, and the `model_type` of what is there; the longer ones first.
_BEGINNINGS = {
    "openai/whisper-": "whisper",
    "facebook/wav2vec2-": "wav2vec2",
    "asapp/sew-d-": "sew-d",
    "asapp/sew-": "sew",
}

_ON_HUB = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


@dataclass(frozen=True)
class Model:
    """A model as a recipe names it."""

    name: str
    #: None where it is on the hub, or not here yet.
    folder: Path | None
    #: `model_type` of its configuration, or None where that cannot be known from here.
    kind: str | None

    @property
    def family(self) -> Family | None:
        return FAMILIES.get(self.kind or "")


class Fault(Exception):  # noqa: N818 - one of many that are gathered, not an end
    """What is wrong with a value, in words that follow it."""


def looked_up(name: str) -> Model:
    """Raises Fault or BadInput for what can be no model."""
    named = ModelName.of(name)
    if named.folder and named.revision:
        raise Fault("only models on the hub have revisions: leave out what follows the @")
    if named.folder:
        kind = _kind_of(named.folder)
        refuse_misfits(named.folder, name)
        return Model(name, named.folder, kind)
    name, folder = named.name, expanded(named.name)
    if folder.exists():
        raise Fault("it is a file: give the checkpoint's folder or a name on the hub")
    if name.startswith("~"):
        return Model(name, None, None)
    if is_path(name):
        raise Fault(f"there is no such folder{nearest_sibling(Path(name))}")
    if not _ON_HUB.fullmatch(name):
        raise Fault(_no_name(name))
    kinds = (kind for start, kind in _BEGINNINGS.items() if name.lower().startswith(start))
    return Model(name, None, next(kinds, None))


def is_path(name: str) -> bool:
    """Whether it can only be a folder, and no `owner/name` of the hub."""
    return name.startswith((".", "~", "/")) or name.count("/") > 1


def nearest_sibling(path: Path) -> str:
    """A hint at the folder beside it whose name is most like it."""
    try:
        beside = [each.name for each in path.parent.iterdir() if each.is_dir()]
    except OSError:
        return ""
    near = nearest(path.name, beside, 0.6)
    return f" (did you mean {str(path.parent / near)!r}?)" if near else ""


def _kind_of(folder: Path) -> str | None:
    try:
        config = json_from((folder / "config.json").read_text(encoding="utf-8"))
        kind = config["model_type"]
    except FileNotFoundError:
        inside = folder / "pytorch"
        hint = f", such as {str(inside)!r}" if (inside / "config.json").is_file() else ""
        raise Fault(
            f"it has no config.json: give a folder that save_pretrained wrote{hint}"
        ) from None
    except (OSError, ValueError, KeyError, TypeError):
        raise Fault("its config.json says no model_type: copy the checkpoint again") from None
    if kind not in FAMILIES:
        near = did_you_mean(str(kind), FAMILIES)
        raise Fault(f"it is a {kind!r} model{near}: Secateur knows {', '.join(FAMILIES)}")
    return str(kind)


def _no_name(name: str) -> str:
    if hint := did_you_mean(name, BUNDLED_MODELS, 0.7):
        return f"there is no such model here{hint}"
    known = {full.partition("/")[2]: full for full in _WELL_KNOWN}
    near = nearest(name.rpartition("/")[2], known, 0.6)
    hint = f" (did you mean {known[near]!r}?)" if near else ""
    return f"it is neither a folder here nor owner/name on the hub{hint}"
