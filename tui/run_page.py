"""What the run screen says of a job: progress, the machine's strips, where time went; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from rich.text import Text

from bench.remote.devices import THIS
from tui.bars import bar, strip
from tui.watched import Watched, counted, milliseconds

#: Of those phases that a process goes through once; all others are of each clip.
_ONCE = ("import", "load", "first")
_TITLE = 9
_BAR_STYLE = "#56B4E9"
#: Columns of bars and strips.
_WIDEST = 60


def page(job: Watched, width: int) -> Text:
    room = max(8, min(_WIDEST, width - _TITLE - 32))
    text = _progress(job, room)
    if job.begun:
        for part in (_samples(job, room), _strips(job, room), _phases(job, max(8, room // 2))):
            text.append(part)
        text.no_wrap, text.overflow = True, "ellipsis"
    text.rstrip()
    return text


def state(job: Watched, playing: str = "") -> Text:
    """The line by which one job is told from the others; `playing` is how a recording is played."""
    sign = "▶" if job.is_going else {"done": "✓", "failed": "✗", "left": "…"}[_ending(job)]
    parts = [f"replay of {job.device}" if job.is_replay else job.device]
    parts += [f"job {job.begun.job}" if job.begun else job.about]
    if job.begun:
        parts.append(f"{job.ended} of {counted(job.total, 'case')} ended")
    parts += [f"{job.failed} failed"] if job.failed else []
    parts += [playing] if playing and job.is_going else []
    text = Text(f"{sign} ", no_wrap=True, overflow="ellipsis")
    return text.append(" · ".join(part for part in parts if part))


def _ending(job: Watched) -> str:
    assert job.over
    return job.over.ending


def _progress(job: Watched, room: int) -> Text:
    if job.over and job.begun is None:
        return Text(job.over.sentence)
    sent = job.counted
    if sent:
        share = sent.done / sent.total if sent.total else 0.0
        return _line(sent.label, bar(share, room), f"{100 * share:.0f} %")
    if job.begun is None:
        return Text("getting ready …", "dim")
    text = _line("cases", bar(job.ended / max(1, job.total), room), f"{job.ended} of {job.total}")
    return text.append(_titled("now", _now(job)))


def _now(job: Watched) -> str:
    if job.case:
        return f"{job.case}, turn {job.turn}"
    return job.over.sentence if job.over else "between two turns"


def _samples(job: Watched, room: int) -> Text:
    """Of the case that is measured, or else of the last one."""
    name = job.case or job.last_case
    samples = job.cases[name].samples if name in job.cases else []
    if not samples:
        return _line("samples", "none yet".ljust(room), "")
    begun = job.begun
    wanted = ""
    if begun and begun.least_samples and begun.most_samples:
        least, most = begun.least_samples, begun.most_samples
        wanted = f" of {least}" if least == most else f" of {least} to {most}"
        if len(samples) > most:  # every clip is heard once, however few are wanted
            wanted = ""
    told = f"{len(samples)}{wanted}, median {milliseconds(median(samples))}"
    return _line("samples", strip(samples, room).ljust(room), told)


def _strips(job: Watched, room: int) -> Text:
    text = _strip("heat", list(job.temperatures), "°C", room, job)
    return text.append(_strip("clock", list(job.clocks), "MHz", room, job))


def _strip(title: str, values: Sequence[float], unit: str, room: int, job: Watched) -> Text:
    if not values:
        why = "this machine does not say" if job.device == THIS else "the device does not say"
        return _line(title, (why if job.readings else "not read yet").ljust(room), "")
    low, high = min(values), max(values)
    ends = f", {low:.0f} to {high:.0f}" if high > low else ""
    told = f"{values[-1]:.0f} {unit}{ends}"
    return _line(title, strip(list(values), room).ljust(room), told)


def _phases(job: Watched, room: int) -> Text:
    """Of the case that has just ended; until one has, of that which is measured."""
    name = job.last_case or job.case
    medians = job.cases[name].phase_medians if name in job.cases else {}
    if name is None or not medians:
        return Text()
    so_far = "" if job.last_case else ", so far"
    text = Text.assemble(("\ntime by phase", "bold underline"), f"  {name}{so_far}\n")
    once = {key: medians[key] for key in _ONCE if key in medians}
    each = {key: value for key, value in medians.items() if key not in _ONCE}
    return text.append(_bars(once, "once", room)).append(_bars(each, "a clip", room))


def _bars(phases: Mapping[str, float], what: str, room: int) -> Text:
    longest = max(phases.values(), default=0.0) or 1.0
    text = Text()
    for name, seconds in phases.items():
        told = f"{milliseconds(seconds)} {what}"
        text.append(_line(name, bar(seconds / longest, room), told))
    return text


def _line(title: str, drawn: str, told: str) -> Text:
    return _titled(title, Text.assemble((drawn, _BAR_STYLE), f" {told}"))


def _titled(title: str, told: str | Text) -> Text:
    return Text().append(f"{title:<{_TITLE}} ", "dim").append(told).append("\n")
