"""What is wrong with a recipe that fits the schema: names, folders and models that do not go
together. Told without a network; torch is loaded only to match patterns of layers."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.remote.devices import read_devices
from pipeline.output_folder import refuse_unfit
from pipeline.plan import CONTROL
from pipeline.recipe.models import (
    COMPONENTS,
    Fault,
    Model,
    is_path,
    looked_up,
    nearest_sibling,
)
from pipeline.recipe.schema import Recipe
from pipeline.recipe.section import did_you_mean, nearest
from pipeline.recipe.toml_text import spelt
from prune.checkpoint_files import adapter_note, weight_shapes
from prune.methods import METHODS
from prune.option_use import settled_sparsity, used
from speech.corpora.audio_folder import is_audio_folder
from speech.corpora.common_voice import is_common_voice
from speech.corpora.librispeech import is_librispeech
from speech.corpora.opening import NAMES
from speech.corpora.timit import is_timit
from speech.errors import BadInput
from speech.readable import expanded, readable, refuse_unreachable

_LAYOUTS = (is_audio_folder, is_common_voice, is_librispeech, is_timit)
#: The groups of inputs that `nm_obs` tries, and how near to a sparsity it must come.
_GROUPS, _NEAR = range(4, 65), 0.001


@dataclass(frozen=True)
class Findings:
    """Sentences without their full stop: what cannot be, and what is worth knowing."""

    faults: list[str]
    notes: list[str]


def findings(recipe: Recipe) -> Findings:
    models, faults = _models(recipe)
    for key, name in _corpora(recipe).items():
        if fault := _corpus_fault(name):
            faults.append(f"{key} = {name!r}: {fault}")
    faults += _out_of_reach(recipe)
    for model in models:
        faults += [*_precisions(recipe, model), *_shares(recipe, model), *_layers(recipe, model)]
    faults += _output(recipe)
    notes = [*_not_here(recipe, models), *_adapters(models), *_read_by_nothing(recipe)]
    return Findings(faults, notes)


def _output(recipe: Recipe) -> Iterator[str]:
    try:
        refuse_unfit(Path(recipe.output))
    except BadInput as error:
        yield f"output = {recipe.output!r}: {str(error).rstrip('.')}"


def _models(recipe: Recipe) -> tuple[list[Model], list[str]]:
    found, faults = [], []
    for number, name in enumerate(recipe.models):
        try:
            found.append(looked_up(name))
        except (Fault, BadInput) as fault:
            faults.append(f"models.{number} = {name!r}: {str(fault).rstrip('.')}")
    return found, faults


def _corpora(recipe: Recipe) -> dict[str, str]:
    """What will be listened to, by key."""
    corpus = recipe.corpus
    named = {"corpus.evaluate": corpus.evaluate, "corpus.calibrate": corpus.calibrate}
    return named | ({"corpus.lessons": corpus.lessons} if corpus.lessons is not None else {})


def _corpus_fault(name: str) -> str | None:
    owner, _, part = name.partition(":")
    if name in NAMES or name == "librispeech":
        return None
    if owner in ("demo", "librispeech") and part:
        return f"there is no such corpus{did_you_mean(name, NAMES, 0.4)}"
    try:
        return _place_fault(name, expanded(name))
    except BadInput as fault:
        return str(fault).rstrip(".")


def _place_fault(name: str, folder: Path) -> str | None:
    refuse_unreachable(folder)
    if folder.is_dir():
        with readable(folder):
            if any(is_layout(folder) for is_layout in _LAYOUTS):
                return None
        return (
            "the folder is in no layout that is understood: add a metadata.jsonl to it, or name "
            "the folder inside it that has one"
        )
    if folder.exists():
        return "it is a file: name the folder of the corpus"
    if name.startswith("~"):
        return None
    if is_path(name):
        return f"there is no such folder{nearest_sibling(folder)}"
    if "/" in name:
        return None
    near = nearest(name, NAMES, 0.6) or nearest(name, [each.partition(":")[2] for each in NAMES])
    meant = next((each for each in NAMES if near and each.endswith(near)), None)
    hint = f"did you mean {meant!r}?" if meant else f"the names are {', '.join(NAMES)}"
    return f"it is neither a folder here, nor owner/name on the hub, nor a name ({hint})"


def _out_of_reach(recipe: Recipe) -> Iterator[str]:
    """Sparsities that a method can never come to, and those that none is given."""
    options = recipe.prune.options(recipe.seed)
    told = {m: settled_sparsity(m, None, used(m, options)) for m in recipe.prune.methods}
    asked = [sparsity for sparsity in recipe.prune.sparsities if sparsity]
    for method in (name for name, implied in told.items() if implied is None):
        structure = METHODS[method].structure
        for number, sparsity in enumerate(recipe.prune.sparsities):
            where = f"prune.sparsities.{number} = {sparsity:g}"
            if structure == "heads and neurons" and sparsity == 1:
                yield f"{where}: {method} keeps one head and neuron in every layer; give less"
            if structure == "n:m" and sparsity and not _has_pattern(sparsity):
                reachable = (1 - n / m for m in (4, 8, 10) for n in range(1, m))
                near = min((abs(other - sparsity), other) for other in reachable)[1]
                yield f"{where}: {method} cannot keep so few of a group (did you mean {near:g}?)"
    if asked and all(implied is not None for implied in told.values()):
        yield (
            f"prune.sparsities = {spelt(recipe.prune.sparsities)}: {', '.join(told)} is told "
            "otherwise how much to cut; give [0.0]"
        )


def _has_pattern(sparsity: float) -> bool:
    kept = ((round((1 - sparsity) * group), group) for group in _GROUPS)
    return any(n > 0 and abs(1 - n / m - sparsity) <= _NEAR for n, m in kept)


def _precisions(recipe: Recipe, model: Model) -> Iterator[str]:
    if "mixed" in recipe.export.precisions and model.family == "ctc":
        yield (
            f"export.precisions = {spelt(recipe.export.precisions)}: 'mixed' is for an encoder "
            f"and a decoder, and {model.name} is one graph (did you mean 'int8'?)"
        )


def _shares(recipe: Recipe, model: Model) -> Iterator[str]:
    if model.kind is None:
        return
    parts = COMPONENTS[model.kind]
    known = sorted({*parts, *(part.partition(".")[0] for part in parts)})
    for key, share in recipe.prune.shares.items():
        if key not in known:
            hint = did_you_mean(key, known) or f"; it has {', '.join(known)}"
            yield f"prune.shares.{key} = {share:g}: {model.name} has no such component{hint}"


def _layers(recipe: Recipe, model: Model) -> Iterator[str]:
    """Patterns that no weight answers to; of a model that is not here only what is plain."""
    for number, pattern in enumerate(recipe.prune.layers):
        where = f"prune.layers.{number} = {pattern!r}"
        if model.family == "ctc" and pattern.removeprefix("model.").startswith("decoder"):
            yield f"{where}: {model.name} has no decoder (did you mean 'encoder'?)"
        elif model.folder and not _is_answered(pattern, weights := _weights(model.folder)):
            parts = COMPONENTS[model.kind or ""]
            hint = did_you_mean(pattern, [*parts, *weights], 0.4)
            yield f"{where}: no layer of {model.name} is called so{hint}"


def _weights(folder: Path) -> list[str]:
    """Names of the layers in the file of weights, or none where there is no such file."""
    found = weight_shapes(folder, str(folder))
    if found is None:
        return []
    names = [key.removesuffix(".weight") for key in found[1] if key.endswith(".weight")]
    return [*names, "proj_out"]  # tied to Whisper's embedding, and so in no file


def _is_answered(pattern: str, layers: list[str]) -> bool:
    from prune.families.layers import component
    from prune.families.selection import matching

    def is_known(name: str) -> bool:
        try:
            return bool(component(name))
        except ValueError:
            return False

    return not layers or bool(matching([name for name in layers if is_known(name)], pattern))


def _not_here(recipe: Recipe, models: list[Model]) -> Iterator[str]:
    """What only a run can tell, for it takes a network or somebody's own folder."""
    for model in models:
        if model.name.startswith("~") and model.folder is None:
            yield f"models: {model.name} is not here yet"
        elif model.folder is None:
            yield f"models: {model.name} is looked for on the hub when the recipe is run"
    known = read_devices()
    for name in recipe.measure.devices:
        if name not in known:
            hint = did_you_mean(name, known)
            yield (
                f"measure.devices: nobody has named {name} here{hint}; `secateur device add "
                f"{name} user@host` does"
            )
    for key, name in _corpora(recipe).items():
        if name.startswith("~") and not _is_folder(name):
            yield f"{key}: {name} is not here yet"
        elif "/" in name and not _is_folder(name):
            yield f"{key}: {name} is looked for on the hub when the recipe is run"
    scored = recipe.corpus.evaluate
    for key, name in _corpora(recipe).items():
        if key != "corpus.evaluate" and name == scored and _is_heard(recipe, key):
            yield f"{key}: {name} is also what is scored on, so that scores will flatter"


def _adapters(models: list[Model]) -> Iterator[str]:
    for model in models:
        if model.folder and (note := adapter_note(model.folder, model.name)):
            yield f"models: {note.rstrip('.')}"


def _is_folder(name: str) -> bool:
    try:
        return expanded(name).is_dir()
    except OSError:  # which is a fault, and told as one
        return True


def _is_heard(recipe: Recipe, key: str) -> bool:
    methods = [METHODS[name] for name in recipe.prune.methods]
    learns = any(method.fine_tunes for method in methods)
    return learns if key == "corpus.lessons" else any(method.listens for method in methods)


def _read_by_nothing(recipe: Recipe) -> Iterator[str]:
    """Keys that are valid and change nothing here."""
    said = recipe.corpus.model_fields_set
    calibration = ("calibrate", "calibration_split", "calibration_clips")
    for name in (*calibration, "lessons", "lessons_split", "lessons_limit"):
        of = "lessons" if name.startswith("lessons") else "calibrate"
        if name in said and not _is_heard(recipe, f"corpus.{of}"):
            use = "learns" if of == "lessons" else "listens"
            yield f"corpus.{name} changes nothing, for none of the methods {use}"
    fine_tunes = any(METHODS[name].fine_tunes for name in recipe.prune.methods)
    if len(recipe.seeds) > 1 and not any(METHODS[name].listens for name in recipe.prune.methods):
        yield "seeds after the first change nothing, for none of the methods draws by chance"
    if "fine_tuning" in recipe.prune.model_fields_set and not fine_tunes:
        yield f"prune.fine_tuning changes nothing, for none of the methods learns (add {CONTROL}?)"
