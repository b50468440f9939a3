"""Pruning from Python: one object around a model, for notebooks and scripts.

pruner = Pruner("openai/whisper-tiny").calibrate("librispeech:dev-clean")
model = pruner.prune(0.5, method="obs", layers="encoder.*")
pruner.save("whisper-tiny-50")
"""

import copy
import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from prune.checkpoint import Checkpoint, open_checkpoint, refuse_other_tokenizer
from prune.checkpoint_files import FAMILIES
from prune.families.layers import component, prunable_layers
from prune.families.selection import did_you_mean
from prune.forcing import Floats, Report, Speech, fitting_clips
from prune.methods import METHODS, check_method
from prune.oneshot import Statistics
from prune.option_use import check_use, settled_sparsity
from prune.options import Options
from prune.schedule import Pruned, prune
from prune.structure.vocabulary import trim_vocabulary
from runtime.whole_folder import full_disk_is_bad_input, written_whole
from speech.corpora import open_corpus
from speech.errors import BadInput


@dataclass(frozen=True)
class LayerInfo:
    """A prunable layer as it is now."""

    name: str
    #: The part of the model it belongs to, such as `decoder.ffn`.
    component: str
    shape: tuple[int, ...]
    #: Weights, biases not counted.
    parameters: int
    zeros: int
    #: Zeros among the weights, from 0 to 1.
    sparsity: float


class Pruner:
    """Holds a model, the speech to listen to and what the model makes of it.

    Whoever changes the model's weights between two prunings calls `cleanup` or `calibrate` again:
    what was worked out is of the weights as they were.
    """

    def __init__(self, model: Any, processor: Any = None):
        """`model` is one in memory with its processor, a `Checkpoint`, or a folder or hub name.

        A model in memory is used as it is, on its device; it must be in float32.
        """
        self.checkpoint = _checkpoint(model, processor)
        #: What came of the last pruning, in place or not.
        self.pruned: Pruned | None = None
        self._speech: Speech | None = None
        self._statistics: dict[tuple[object, ...], Statistics] = {}

    @property
    def model(self) -> Any:
        """The model that is pruned in place."""
        return self.checkpoint.model

    def calibrate(self, corpus: str | Path | Speech, clips: int = 128, seed: int = 0) -> Self:
        """Choose what to listen to: a corpus by name or folder, or pairs of samples and text.

        Samples are 16 kHz mono floats from -1 to 1. At most `clips` of them are used, drawn with
        `seed`. The listening itself is done when a method asks for it.
        """
        if clips < 1:
            raise BadInput(f"{clips} clips are none to calibrate on: give at least 1.")
        speech: Speech
        if isinstance(corpus, str | Path):
            speech = open_corpus(str(corpus), limit=clips, seed=seed)
        else:
            speech = _Drawn(corpus, clips, seed)
        with _evaluating(self.model):
            fitting_clips(self.checkpoint, speech)
        self._speech = speech
        self._statistics.clear()
        return self

    def prune(
        self,
        sparsity: float | None = None,
        method: str = "obs",
        layers: str | Sequence[str] = (),
        in_place: bool = True,
        *,
        lessons: Speech | None = None,
        work: str | Path | None = None,
        report: Report | None = None,
        **options: Any,
    ) -> Any:
        """Prune the model, or with `in_place=False` a copy; gives back the model that was pruned.

        `sparsity` is the share of the chosen layers' weights that are zero afterwards, those that
        were zero before among them; half of them unless said, or what `pattern`, `heads` and `ffn`
        imply. `layers` are names, globs or components (`prune.families.selection`), all unless
        said. `options` are those of `prune.options.Options`, such as `pattern=(2, 4)`,
        `shares={"decoder.ffn": 0.7}` or `fine_tuning=FineTuning(steps=500)`. What came of it
        besides the model is in `pruned`.
        """
        check_method(method)
        chosen = _options(method, layers, options)
        settled = settled_sparsity(method, sparsity, chosen)
        settled = 0.5 if settled is None else settled
        if METHODS[method].listens and self._speech is None and lessons is None:
            raise BadInput(f"{method} listens to speech: call calibrate first.")
        target = self.checkpoint
        if not in_place:
            target = replace(target, model=copy.deepcopy(target.model))
        # the model is listened to as well where a copy of it is cut
        with _evaluating(self.model), _evaluating(target.model):
            try:
                self.pruned = prune(
                    target,
                    method,
                    settled,
                    self._speech if self._speech is not None else lessons,
                    options=chosen,
                    lessons=lessons,
                    statistics=self._shared_statistics(chosen),
                    work=Path(work) if work else None,
                    report=report,
                )
            finally:
                if in_place:
                    self._statistics.clear()  # they are of the weights as they were
        return target.model

    def trim_vocabulary(self, texts: Iterable[str]) -> Self:
        """Keep only the tokens of Whisper that `texts` need, spelt and punctuated as it writes.

        Without fine-tuning expect errors in words that are not in them.
        """
        trim_vocabulary(self.checkpoint, texts)
        self._statistics.clear()
        return self

    def layer_info(self, *, tied: bool = False) -> list[LayerInfo]:
        """The prunable layers in the order in which the model runs them.

        The vocabulary projection is among them only if `tied`.
        """
        infos = []
        for name, layer in prunable_layers(self.model, tied=tied).items():
            weight = layer.weight
            count, zeros = weight.numel(), int((weight == 0).sum())
            shape = tuple(weight.shape)
            infos.append(LayerInfo(name, component(name), shape, count, zeros, zeros / count))
        return infos

    def cleanup(self) -> None:
        """Let go of the speech and of all that was worked out from it; the model stays."""
        self._speech = None
        self._statistics.clear()
        self.model.zero_grad(set_to_none=True)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def save(self, folder: str | Path) -> Path:
        """Write the model and its processor to a new folder, whole or not at all.

        `open_checkpoint` opens it, and so does `from_pretrained` unless heads and neurons were cut
        out unevenly.
        """
        target = Path(folder).expanduser()
        with full_disk_is_bad_input(str(target)), written_whole(target) as place:
            self.checkpoint.save(place)
        return target

    def _shared_statistics(self, options: Options) -> Statistics | None:
        """Those of the model as it is, so that prunings of copies share them."""
        if self._speech is None:
            return None
        key = (options.seed, options.tied, options.precision, options.hutchinson)
        if key not in self._statistics:
            self._statistics[key] = Statistics(self.checkpoint, self._speech, options)
        return self._statistics[key]


def _checkpoint(model: Any, processor: Any) -> Checkpoint:
    if isinstance(model, Checkpoint):
        return model
    if isinstance(model, str | Path):
        return open_checkpoint(str(model))
    kind = getattr(getattr(model, "config", None), "model_type", type(model).__name__)
    family = FAMILIES.get(kind)
    if family is None:
        raise BadInput(
            f"The model is a {kind!r} model; Secateur knows {', '.join(sorted(FAMILIES))}."
        )
    if not (hasattr(processor, "tokenizer") and hasattr(processor, "feature_extractor")):
        raise BadInput(
            "A model in memory needs its processor, with tokenizer and feature extractor: "
            "Pruner(model, processor)."
        )
    if not hasattr(model, "lm_head" if family == "ctc" else "proj_out"):
        raise BadInput(
            f"A {type(model).__name__} has no head that gives text: load it with "
            f"{'AutoModelForCTC' if family == 'ctc' else 'WhisperForConditionalGeneration'}."
        )
    narrow = {str(p.dtype) for p in model.parameters() if p.dtype != torch.float32}
    if narrow:
        raise BadInput(f"The model is in {sorted(narrow)[0]}: call model.float() before pruning.")
    name = str(model.config.name_or_path or kind)
    refuse_other_tokenizer(family, model, processor.tokenizer, name)
    return Checkpoint(model, processor, family, name)


class _Drawn:
    """At most so many of some clips, as `Corpus.limit` draws them."""

    def __init__(self, spoken: Speech, clips: int, seed: int):
        if not len(spoken):
            raise BadInput("There is no clip to calibrate on: give at least one.")
        order = np.random.default_rng(seed).permutation(len(spoken))
        self._spoken, self._indices = spoken, sorted(order[:clips].tolist())

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int, /) -> tuple[Floats, str]:
        samples, text = self._spoken[self._indices[index]]
        samples = np.asarray(samples, np.float32)
        if samples.ndim != 1 or not np.isfinite(samples).all():
            raise BadInput(
                f"Clip {self._indices[index]} is not one row of finite samples "
                f"(its shape is {samples.shape}): give 16 kHz mono."
            )
        return samples, text


def _options(method: str, layers: str | Sequence[str], given: dict[str, Any]) -> Options:
    known = {field.name for field in fields(Options)} - {"layers"}
    for name in given:
        if name not in known:
            raise BadInput(
                f"{name!r} is no option of pruning{did_you_mean(name, known)}: "
                f"choose from {', '.join(sorted(known))}."
            )
    patterns = (layers,) if isinstance(layers, str) else tuple(layers)
    chosen = Options(layers=patterns, **given)
    plain = asdict(Options())
    changed = {name for name, value in asdict(chosen).items() if value != plain[name]}
    check_use([method], {name: name for name in given.keys() | {"layers"} if name in changed})
    return chosen


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Without dropout; afterwards as it was."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
