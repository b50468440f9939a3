"""The options of `secateur bench` that say under which settings each bundle is measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, TypeVar, cast

import click
from click.core import ParameterSource

from speech.audio import RATE
from speech.corpora import Corpus
from speech.errors import BadInput

if TYPE_CHECKING:
    from runtime.bundle import Bundle
    from runtime.settings import Provider, Settings

Decorated = TypeVar("Decorated", bound=Callable[..., None])

#: How `--window` calls that which the model was trained for.
TRAINED = "trained"


def _listed(value: str) -> list[str]:
    return list(dict.fromkeys(part.strip() for part in value.split(",")))


def _counts(ctx: click.Context, option: click.Parameter, value: str) -> list[int]:
    try:
        return [int(part) for part in _listed(value)]
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no list of whole numbers, such as 1,2") from error


def _windows(ctx: click.Context, option: click.Parameter, value: str) -> list[float | None]:
    try:
        return [None if part == TRAINED else float(part) for part in _listed(value)]
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no list of seconds, such as 5,{TRAINED}") from error


def _switches(ctx: click.Context, option: click.Parameter, value: str) -> list[bool]:
    known = {"on": True, "off": False}
    try:
        return [known[part] for part in _listed(value)]
    except KeyError as error:
        raise click.BadParameter(f"{value!r} must be on, off, or on,off for both") from error


def _names(ctx: click.Context, option: click.Parameter, value: str) -> list[str]:
    return _listed(value)


def settings_options(command: Decorated) -> Decorated:
    """Each takes a list; every combination is a case."""
    for name, default, callback, text in reversed(_OPTIONS):
        option = click.option(
            name, default=default, show_default=True, callback=callback, help=text
        )
        command = option(command)
    return command


_OPTIONS = (
    ("--threads", "1", _counts, "Such as 1,2: each of them."),
    ("--window", TRAINED, _windows, f"Seconds heard at a time, such as 5,{TRAINED}."),
    ("--spinning", "off", _switches, "Whether idle threads spin: on, off, or on,off."),
    ("--arena", "on", _switches, "Whether onnxruntime keeps memory for the next clip; off: less."),
    ("--provider", "cpu", _names, "Who computes: cpu, or on a Mac also coreml; or cpu,coreml."),
)
#: What `--tune` chooses itself.
_TUNED = ("threads", "window", "spinning")


def chosen_settings(
    ctx: click.Context, bundles: Sequence[Bundle], corpus: Corpus
) -> list[Settings]:
    """Of the options that `settings_options` gave a command, and its `--tune`."""
    from bench.tuning import settings_to_try
    from runtime.settings import Settings

    given = ctx.params
    if given["tune"]:
        for name in _TUNED:
            if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
                raise BadInput(f"--tune tries values of --{name} itself: leave one of them out.")
        padded = any(bundle.manifest.family == "whisper" for bundle in bundles)
        longest = max(len(clip.samples()) for clip in corpus.clips) / RATE if padded else None
        chosen = settings_to_try(longest)
    else:
        chosen = [
            Settings(threads=threads, spinning=spinning, window=window)
            for threads, spinning, window in product(
                given["threads"], given["spinning"], given["window"]
            )
        ]
    return [
        replace(one, provider=cast("Provider", provider), arena=arena)
        for provider, arena in product(given["provider"], given["arena"])
        for one in chosen
    ]
