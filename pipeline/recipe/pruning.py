"""The part of a recipe that says how to prune and to fine-tune."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from pipeline.recipe.section import Section, Share, refuse_repeated
from prune.methods import METHODS, check_method
from prune.option_use import check_use
from prune.options import Options, parsed_pattern
from prune.training_plan import FineTuning
from speech.errors import BadInput

#: Of heads, neurons or blocks: one of each must stay.
Part = Annotated[float, Field(ge=0, lt=1)]


class FineTuningSection(Section):
    """The settings of `prune.training_plan.FineTuning`; the seed is the recipe's."""

    steps: int = FineTuning.steps
    batch: int = FineTuning.batch
    accumulate: int = FineTuning.accumulate
    rate: float = FineTuning.rate
    warm_up: int = FineTuning.warm_up
    weight_decay: float = FineTuning.weight_decay
    clip: float = FineTuning.clip
    distil_logits: float = FineTuning.distil_logits
    distil_states: float = FineTuning.distil_states
    temperature: float = FineTuning.temperature
    spec_augment: bool = FineTuning.spec_augment
    speed: bool = FineTuning.speed
    voices: bool = FineTuning.voices
    held_out: float = FineTuning.held_out
    check_every: int = FineTuning.check_every
    patience: int = FineTuning.patience

    def plan(self, seed: int) -> FineTuning:
        return FineTuning(**self.model_dump(), seed=seed)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        try:
            self.plan(0)
        except BadInput as error:
            said = str(error).removeprefix("Fine-tuning: ").rstrip(".")
            raise ValueError(said) from error
        return self


class PruneSection(Section):
    #: Names of `secateur methods`; each is tried at every sparsity.
    methods: list[str] = Field(min_length=1, examples=[["obs"]])
    #: Shares of the prunable weights to cut, from 0 (the dense model) to 1.
    sparsities: list[Share] = Field(min_length=1, examples=[[0.0, 0.5]])
    fine_tuning: FineTuningSection = FineTuningSection()
    # The rest are fields of `prune.options.Options`, for those methods that have a use for them.
    layers: list[str] = Field([])
    tied: bool = Options.tied
    shares: dict[str, Share] = Field({}, examples=[{"encoder": 0.5}])
    heads: Part | None = None
    ffn: Part | None = None
    blocks: Part | None = None
    owl_m: float = Field(Options.owl_m, gt=0)
    owl_lambda: float = Field(Options.owl_lambda, ge=0, le=0.5)
    alpha: float = Field(Options.alpha, ge=0, le=1)
    hutchinson: int = Field(Options.hutchinson, ge=0)
    gradient: bool = Options.gradient
    quick: bool = Options.quick
    precision: Literal["float32", "float64"] = Options.precision
    step: float = Field(Options.step, gt=0, le=1)
    #: Inputs kept of every so many, which says how much is cut; the smallest m that fits a sparsity
    #: unless it is said.
    pattern: str | None = Field(None, examples=["2:4"])

    def options(self, seed: int) -> Options:
        fields = self.model_dump(exclude={"methods", "sparsities", "fine_tuning"})
        fields["layers"] = tuple(self.layers)
        fields["pattern"] = parsed_pattern(self.pattern) if self.pattern else None
        return Options(seed=seed, fine_tuning=self.fine_tuning.plan(seed), **fields)

    @model_validator(mode="after")
    def _useful(self) -> Self:
        """Nothing that no method asks for, and nothing missing that one cannot do without."""
        try:
            self.options(0)
            said = self.model_fields_set - {"methods", "sparsities", "fine_tuning"}
            check_use(self.methods, {name: name for name in sorted(said)})
        except BadInput as error:
            raise ValueError(str(error).rstrip(".")) from error
        profiled = [name for name in self.methods if METHODS[name].allocation == "profile"]
        if profiled and not self.shares:
            raise ValueError(
                f"{profiled[0]} cuts every component by a sparsity of its own: "
                "add shares, such as shares = { encoder = 0.5 }"
            )
        return self

    @field_validator("pattern")
    @classmethod
    def _pattern(cls, text: str | None) -> str | None:
        try:
            if text is not None:
                parsed_pattern(text)
        except BadInput as error:
            raise ValueError("it is not n:m with 0 < n < m, such as '2:4'") from error
        return text

    @field_validator("methods")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        for name in names:
            try:
                check_method(name)
            except BadInput as error:
                raise ValueError(str(error).rstrip(".")) from error
        refuse_repeated(names)
        return names

    @field_validator("sparsities")
    @classmethod
    def _apart(cls, sparsities: list[float]) -> list[float]:
        """As names of bundles tell them apart."""
        refuse_repeated([f"{100 * sparsity:g} %" for sparsity in sparsities])
        return sparsities
