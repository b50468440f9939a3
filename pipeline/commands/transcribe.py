"""`secateur transcribe`: what is said in sound files, with what a device has installed."""

import json
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.progress import Report, bars
from runtime.archive import opened
from speech.audio import RATE, Floats, Sound, open_sound, open_standard_input
from speech.errors import BadInput
from speech.printable import printable

if TYPE_CHECKING:
    from runtime.recognizer import Recognizer
    from runtime.transcript import Transcript

_STANDARD_INPUT = "-"


@click.command("transcribe", epilog="Example: secateur transcribe whisper.secateur memo.wav")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--threads", type=int, default=1, show_default=True, help="Cores that compute.")
@click.option(
    "--window",
    type=float,
    help="Seconds transcribed at a time; longer sound is cut where it is quietest "
    "[Whisper: as it was trained, mostly 30; SEW and wav2vec 2.0: 40].",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a file.")
def command(
    bundle: Path, files: tuple[str, ...], threads: int, window: float | None, as_json: bool
) -> None:
    """Print the text of each FILE, as BUNDLE (a folder or a .secateur file) transcribes it.

    FILE is WAV, FLAC, OGG, MP3, AIFF, AU, CAF or the like, of any rate and length, or - for
    standard input. Each file gives one line; of several files it begins with the name. A file that
    cannot be read gives a sentence on standard error, the others are transcribed all the same, and
    the exit code is 2.
    """
    from runtime.memory_guard import free_memory_only
    from runtime.recognizer import open_recognizer
    from runtime.settings import Settings

    settings, failed = Settings(threads=threads, window=window), False
    with opened(bundle) as found, free_memory_only():
        recognizer = open_recognizer(found, settings)
        for file in files:
            try:
                seconds, transcript = _transcribed(file, recognizer)
            except (BadInput, MemoryError) as error:
                failed = True
                sentence = _sentence(error, file)
                click.echo(f"secateur: {sentence}", err=True)
                if as_json:
                    click.echo(json.dumps({"file": file, "error": sentence}))
                continue
            if as_json:
                click.echo(json.dumps(_record(file, seconds, transcript)))
            else:
                text = transcript.text if len(files) == 1 else f"{file}: {transcript.text}"
                click.echo(printable(text))
    if failed:
        sys.exit(2)


def _transcribed(file: str, recognizer: "Recognizer") -> tuple[float, "Transcript"]:
    """Seconds of sound, and what is said in it. Only a piece of either is in memory."""
    from runtime.transcript import joined

    with bars(f"{printable(file)}: ") as report, _opened(file, report) as sound:
        if sound.channel is not None:
            click.echo(
                f"secateur: {sound.name}: its channels cancel each other out, so channel "
                f"{sound.channel + 1} is transcribed alone.",
                err=True,
            )
        taken, total = 0, ceil(sound.seconds)

        def blocks() -> Iterator[Floats]:
            nonlocal taken
            for block in sound.blocks():
                taken += len(block)
                yield block

        parts = []
        for part in recognizer.transcribe_blocks(blocks()):
            parts.append(part)
            report("seconds transcribed", min(taken // RATE, total), total)
        return sound.seconds, joined(parts)


def _opened(file: str, report: Report) -> AbstractContextManager[Sound]:
    def checked(done: int, total: int) -> None:
        report("bytes checked", done, total)

    if file == _STANDARD_INPUT:
        return open_standard_input(checked)
    return open_sound(Path(file), checked)


def _sentence(error: BadInput | MemoryError, file: str) -> str:
    if isinstance(error, BadInput):
        return str(error)
    reason = f" ({error})" if str(error) else ""
    return f"Memory ran out over {file}{reason}: end other programs, or ask for a shorter --window."


def _record(file: str, seconds: float, transcript: "Transcript") -> dict[str, Any]:
    """Seconds of sound, and seconds that each phase took."""
    return {
        "file": file,
        "text": transcript.text,
        "tokens": len(transcript.tokens),
        "audio_seconds": seconds,
        "seconds": dict(transcript.seconds),
    }
