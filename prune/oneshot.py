"""Cutting once: scores and an allocation say what goes; OBS also says what the rest becomes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from prune import scores
from prune.allocation.budget import sizes_of, target, uniform, zeros_in
from prune.allocation.curvature import linear_trace, trace
from prune.allocation.masks import masked, zeros_first, zeros_of_n_of_m
from prune.allocation.outliers import owl
from prune.allocation.profile import profile
from prune.allocation.search import search
from prune.allocation.threshold import by_threshold
from prune.checkpoint import Checkpoint
from prune.contest import beats
from prune.curvature import hessian_traces
from prune.curves import GRID, error_curves
from prune.drift import PairedCollector, drawn_back
from prune.families.layers import component
from prune.families.selection import chosen_weights
from prune.forcing import Report, Speech
from prune.gradients import Gradients, gradients, sensitivities
from prune.methods import Method
from prune.options import Options
from prune.reach import OutOfReach
from prune.solve import Cut, SharedSolver, cut_to_count, cut_to_pattern
from prune.statistics import hessians
from prune.walk import walk
from speech.errors import BadInput


@dataclass(frozen=True)
class Cuts:
    """What was done to each layer, for the report."""

    #: Share of the Hessian's mean diagonal that was added to it before it could be solved.
    damping: dict[str, float] = field(default_factory=dict)
    #: The squared error of a layer's output, as a share of the output's square.
    errors: dict[str, float] = field(default_factory=dict)


class Statistics:
    """What the uncut model makes of the speech; each is worked out when first asked for."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        speech: Speech,
        options: Options,
        report: Report | None = None,
    ):
        self._checkpoint, self._speech = checkpoint, speech
        self._options, self._report = options, report

    @cached_property
    def hessians(self) -> dict[str, Tensor]:
        precision = getattr(torch, self._options.precision)
        tied, report = self._options.tied, self._report
        return hessians(
            self._checkpoint, self._speech, precision=precision, tied=tied, report=report
        )

    @cached_property
    def sensitivities(self) -> dict[str, float]:
        return sensitivities(
            self._checkpoint,
            self._speech,
            seed=self._options.seed,
            tied=self._options.tied,
            report=self._report,
        )

    @cached_property
    def gradients(self) -> dict[str, Gradients]:
        return gradients(
            self._checkpoint, self._speech, tied=self._options.tied, report=self._report
        )

    @cached_property
    def traces(self) -> dict[str, float]:
        return hessian_traces(
            self._checkpoint,
            self._speech,
            samples=self._options.hutchinson,
            seed=self._options.seed,
            tied=self._options.tied,
            report=self._report,
        )

    @cached_property
    def curves(self) -> dict[str, list[float]]:
        """Of all layers, also where only some are to be cut: they are kept for other cuts."""
        return error_curves(
            chosen_weights(self._checkpoint.model, tied=self._options.tied),
            self.hessians,
            self.sensitivities,
            report=self._report,
        )

    def shows_gain(self, zeros: Mapping[str, int], others: Mapping[str, int]) -> bool:
        """Whether zeros so spread over layers serve beyond doubt better than the others."""
        weights = chosen_weights(self._checkpoint.model, tuple(zeros), tied=self._options.tied)
        return beats(
            self._checkpoint,
            self._speech,
            self.hessians,
            weights,
            zeros,
            others,
            report=self._report,
        )


@torch.no_grad()
def cut_once(
    checkpoint: Checkpoint,
    method: Method,
    sparsity: float,
    speech: Speech | None,
    options: Options,
    *,
    statistics: Statistics | None = None,
    report: Report | None = None,
) -> Cuts:
    """Set the share `sparsity` of the chosen layers' weights to zero, in place.

    Zeros that are there stay and count. `statistics` of the model as it is now may be given, so
    that several cuts of the same weights share them.
    """
    weights = chosen_weights(checkpoint.model, options.layers, tied=options.tied)
    _refuse_broken(weights)
    sizes = sizes_of(weights)
    total = target(sparsity, sizes)
    if total == 0:
        return Cuts()
    if total == sum(sizes.values()):
        for weight in weights.values():
            weight.zero_()
        return Cuts()
    if statistics is None and speech is not None:
        statistics = Statistics(checkpoint, speech, options, report)
    cuts = _cuts(method, sparsity, weights, statistics, options)
    if method.score == "obs":
        assert speech is not None
        return _solve(checkpoint, weights, cuts, speech, options, report)
    ranked = _ranked(method, weights, statistics, options)
    for name, keep in _masks(method, ranked, cuts).items():
        weights[name].masked_fill_(~keep, 0)
    return Cuts()


def _refuse_broken(weights: Mapping[str, Tensor]) -> None:
    for name, weight in weights.items():
        if not weight.isfinite().all():
            raise BadInput(f"{name} has NaN or infinite weights: it cannot be pruned.")


def _cuts(
    method: Method,
    sparsity: float,
    weights: Mapping[str, Tensor],
    statistics: Statistics | None,
    options: Options,
) -> dict[str, tuple[int, Cut]]:
    """For every layer how many zeros, and how to place them."""
    if method.structure == "n:m":
        if options.quick:
            raise BadInput("n:m patterns are found by the mask search: leave out the quick sweep.")
        kept, group = options.pattern or _pattern_for(sparsity, weights)
        counts = {n: zeros_of_n_of_m(len(w), w.shape[1], kept, group) for n, w in weights.items()}
        return {name: (count, cut_to_pattern(kept, group)) for name, count in counts.items()}
    counts = _allocated(method, sparsity, weights, statistics, options)
    return {name: (count, cut_to_count(count)) for name, count in counts.items()}


def _pattern_for(sparsity: float, weights: Mapping[str, Tensor]) -> tuple[int, int]:
    """The smallest group by which n:m comes within a tenth of a point of the sparsity."""
    whole = sum(weight.numel() for weight in weights.values())
    reached = dict[float, tuple[int, int]]()
    for group in dict.fromkeys((4, 8, 10, 16, 20, 32, *range(4, 65))):
        kept = max(1, round((1 - sparsity) * group))
        zeros = sum(zeros_of_n_of_m(len(w), w.shape[1], kept, group) for w in weights.values())
        if abs(zeros / whole - sparsity) <= 0.001:
            return kept, group
        reached.setdefault(zeros / whole, (kept, group))
    nearest = min(reached, key=lambda share: abs(share - sparsity))
    kept, group = reached[nearest]
    raise OutOfReach(
        f"sparsity {sparsity} is not one that keeping n of m inputs can reach: the nearest is "
        f"{nearest:.4f}, by keeping {kept} of {group}; ask for that, or give a pattern."
    )


def _allocated(
    method: Method,
    sparsity: float,
    weights: Mapping[str, Tensor],
    statistics: Statistics | None,
    options: Options,
) -> dict[str, int]:
    sizes, floors = sizes_of(weights), zeros_in(weights)
    total = target(sparsity, sizes)
    match method.allocation:
        case "uniform":
            return uniform(sizes, total, floors=floors)
        case "global":
            return by_threshold(_ranked(method, weights, statistics, options), total)
        case "profile":
            places = {name: component(name) for name in weights}
            return profile(sizes, places, options.shares, total, floors=floors)
    assert statistics is not None
    match method.allocation:
        case "owl":
            heard = statistics.hessians
            outlying = {n: zeros_first(scores.wanda(w, heard[n]), w) for n, w in weights.items()}
            return owl(outlying, total, m=options.owl_m, lam=options.owl_lambda, floors=floors)
        case "trace":
            traces = _traces(weights, statistics, options)
            return trace(traces, sizes, total, alpha=options.alpha, floors=floors)
        case "search":
            curves = {name: statistics.curves[name] for name in weights}
            found = search(curves, sizes, total, grid=GRID, floors=floors)
            if method.schedule != "one-shot":  # it is to pay in later cuts, not yet in this one
                return found
            even = uniform(sizes, total, floors=floors)
            return found if statistics.shows_gain(found, even) else even


def _traces(
    weights: Mapping[str, Tensor], statistics: Statistics, options: Options
) -> dict[str, float]:
    """Of the loss itself, or of each layer's output error times how much the loss minds it."""
    if options.hutchinson:
        return {name: statistics.traces[name] for name in weights}
    minded, heard = statistics.sensitivities, statistics.hessians
    return {n: minded[n] * linear_trace(heard[n], len(w)) for n, w in weights.items()}


def _ranked(
    method: Method,
    weights: Mapping[str, Tensor],
    statistics: Statistics | None,
    options: Options,
) -> dict[str, Tensor]:
    """A score for every weight; those that are zero already come first."""
    return {
        name: zeros_first(_score(method, name, weight, statistics, options), weight)
        for name, weight in weights.items()
    }


def _score(
    method: Method, name: str, weight: Tensor, statistics: Statistics | None, options: Options
) -> Tensor:
    if method.score == "magnitude":
        return scores.magnitude(weight)
    assert statistics is not None
    if method.score == "wanda":
        return scores.wanda(weight, statistics.hessians[name])
    moved = statistics.gradients[name]
    if method.score == "taylor":
        return scores.taylor(weight, moved.absolute)
    return scores.obs_diag(weight, moved.squared, moved.mean if options.gradient else None)


def _masks(
    method: Method, ranked: Mapping[str, Tensor], cuts: Mapping[str, tuple[int, Cut]]
) -> dict[str, Tensor]:
    if method.structure == "n:m":
        return {name: cuts[name][1](score) for name, score in ranked.items()}
    zeros = {name: count for name, (count, _) in cuts.items()}
    return masked(ranked, zeros, by_row=method.score == "wanda")


def _solve(
    checkpoint: Checkpoint,
    weights: Mapping[str, Tensor],
    cuts: Mapping[str, tuple[int, Cut]],
    speech: Speech,
    options: Options,
    report: Report | None,
) -> Cuts:
    done = Cuts()

    def settle(names: list[str], collector: PairedCollector) -> None:
        heard, drifts, solvers = collector.hessians(), collector.drifts(), SharedSolver()
        for name in names:
            if name not in cuts:
                continue
            solver = solvers.of(name, heard[name])
            weight, (count, cut) = weights[name], cuts[name]
            target = drawn_back(weight, drifts[name], solver.damped)
            solution = (
                solver.solve_quickly(weight, count, target=target)
                if options.quick
                else solver.solve(weight, cut, target=target)
            )
            weight.copy_(solution.weight)
            done.damping[name], done.errors[name] = solution.damping, solution.error

    precision = getattr(torch, options.precision)
    walk(checkpoint, speech, settle, precision=precision, tied=options.tied, report=report)
    return done
