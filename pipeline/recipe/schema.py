"""What a recipe may say: models, corpora, methods, sparsities, and how to measure."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from pipeline.model_name import ModelName
from pipeline.recipe.pruning import PruneSection
from pipeline.recipe.section import Section, did_you_mean, refuse_repeated
from runtime.bundle import PRECISIONS
from runtime.packed.writer import HIGHEST_LEVEL
from runtime.settings import MOST_THREADS
from speech.normalise import NAMES as NORMALIZERS

#: What every machine and library can take for a seed.
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]


class CorpusSection(Section):
    #: Speech that every variant is scored on: the name or folder of a corpus.
    evaluate: str = "demo:test"
    #: Which part of it, where it has several.
    split: str | None = Field(None, examples=["test"])
    #: How many of its clips, drawn with the first seed; all of them unless it is said.
    limit: int | None = Field(None, ge=1, examples=[200])
    #: Speech for the methods that listen. Not what is scored on: that would flatter them.
    calibrate: str = "demo:calibration"
    #: Which part of it, where it has several.
    calibration_split: str | None = Field(None, examples=["validation"])
    #: How many clips of it to listen to, drawn with the seed.
    calibration_clips: int = Field(128, ge=1)
    #: What to learn from; the clips that calibrate unless it is said.
    lessons: str | None = Field(None, examples=["librispeech:train-clean-100"])
    #: Which part of it, where it has several.
    lessons_split: str | None = Field(None, examples=["train"])
    #: How many clips of the lessons, drawn with the seed; all of them unless it is said.
    lessons_limit: int | None = Field(None, ge=1, examples=[5000])
    #: How texts are made comparable: basic, english or none. What the corpus is usually scored
    #: with unless it is said.
    normalizer: str | None = Field(None, examples=["english"])

    @property
    def calibration(self) -> list[str | int | None]:
        return [self.calibrate, self.calibration_split, self.calibration_clips]

    @property
    def learnt(self) -> list[str | int | None] | None:
        if self.lessons is None:
            return None
        return [self.lessons, self.lessons_split, self.lessons_limit]

    @model_validator(mode="after")
    def _lessons_are_named(self) -> Self:
        said = [key for key in ("lessons_split", "lessons_limit") if getattr(self, key) is not None]
        if said and self.lessons is None:
            raise ValueError(
                f"{said[0]} is about the corpus to learn from and none is named: add lessons"
            )
        return self

    @field_validator("normalizer")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        if name is not None and name not in NORMALIZERS:
            near = did_you_mean(name, NORMALIZERS)
            raise ValueError(f"choose from {', '.join(NORMALIZERS)}{near}")
        return name


class ExportSection(Section):
    """In what the weights are held. fp32 is always there: the others are made from it."""

    #: fp32, fp16, int8, int4, and for Whisper mixed: int8 encoder, int4 decoder. A bundle each.
    precisions: list[str] = Field(["fp32"], min_length=1)
    #: Whether zeros are left out of the files of all but fp32, which holds its weights plainly.
    packed: bool = True
    #: The PyTorch checkpoint in the fp32 bundle: as transformers writes it, packed, or left out.
    pytorch: Literal["plain", "packed", "none"] = "plain"
    #: The level at which zstd compresses what is packed.
    zstd: int | None = Field(None, ge=1, le=HIGHEST_LEVEL, examples=[19])
    #: By how much the word error rate may exceed that of fp32, as a share of the words.
    most_lost: float | None = Field(None, ge=0, examples=[0.01])

    @field_validator("precisions")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        for name in names:
            if name not in PRECISIONS:
                near = did_you_mean(name, PRECISIONS, 0.4)
                known = ", ".join(PRECISIONS)
                raise ValueError(f"{name!r} is no precision{near}: choose from {known}")
        refuse_repeated(names)
        return names

    @model_validator(mode="after")
    def _possible(self) -> Self:
        rounded = {*self.precisions} - {"fp32"}
        if "fp16" in rounded and not self.packed:
            raise ValueError("fp16 is a way of packing weights: leave packed on")
        if self.zstd and not (self.packed and rounded) and self.pytorch != "packed":
            raise ValueError(
                "zstd compresses packed weights and nothing here is packed: leave it out, add a "
                "precision, or set pytorch = 'packed'"
            )
        if self.most_lost is not None and not rounded:
            raise ValueError(
                "most_lost is for precisions other than fp32 and there is none: leave it out, or "
                "add one, such as precisions = ['fp32', 'int8']"
            )
        return self


class MeasureSection(Section):
    """How bundles are measured; `secateur bench` has more settings."""

    #: Where: this machine, and devices that `secateur device add` has named.
    devices: list[str] = Field(["this"], min_length=1, examples=[["this", "pi"]])
    #: How many of the clips to transcribe while measuring.
    clips: int = Field(8, ge=1)
    #: How often each of them.
    samples: int = Field(10, ge=1)
    #: Transcriptions before them that are not counted.
    warm_up: int = Field(3, ge=0)
    #: Processor threads of onnxruntime.
    threads: int = Field(1, ge=1, le=MOST_THREADS)

    @field_validator("devices")
    @classmethod
    def _each_once(cls, names: list[str]) -> list[str]:
        refuse_repeated(names)
        return names


class Recipe(Section):
    #: Letters, digits, dots, dashes and underscores.
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", examples=["study"])
    #: Checkpoint folders, names on the Hugging Face hub (owner/name@revision for a branch, tag or
    #: commit), demo-whisper or demo-sew.
    models: list[str] = Field(min_length=1, examples=[["openai/whisper-tiny"]])
    #: The folder for bundles and results; what is finished there is not done again.
    output: str = Field("bundles", min_length=1)
    #: Each draws whatever is drawn by chance; methods that draw nothing have one variant for all.
    seeds: list[Seed] = Field([0], min_length=1, examples=[[0, 1, 2]])
    corpus: CorpusSection = CorpusSection()
    prune: PruneSection = Field(examples=["a section [prune] with methods and sparsities"])
    export: ExportSection = ExportSection()
    measure: MeasureSection = MeasureSection()

    @field_validator("models")
    @classmethod
    def _apart(cls, models: list[str]) -> list[str]:
        """Bundles go by the last part of the name."""
        refuse_repeated(models)
        names: dict[str, str] = {}
        for model in models:
            short = ModelName.of(model).short
            other = names.setdefault(short, model)
            if other != model:
                raise ValueError(
                    f"{other!r} and {model!r} would both write bundles called {short}-…: "
                    "give each a recipe of its own"
                )
        return models

    @field_validator("seeds")
    @classmethod
    def _other_draws(cls, seeds: list[int]) -> list[int]:
        refuse_repeated([str(seed) for seed in seeds])
        return seeds

    @property
    def seed(self) -> int:
        """The first: what is drawn once for all variants is drawn with it."""
        return self.seeds[0]

    @model_validator(mode="after")
    def _enough_clips(self) -> Self:
        limit, clips = self.corpus.limit, self.measure.clips
        if limit is not None and "clips" in self.measure.model_fields_set and clips > limit:
            raise ValueError(
                f"measure.clips = {clips} is more than corpus.limit = {limit} leaves: "
                f"give at most {limit}"
            )
        return self
