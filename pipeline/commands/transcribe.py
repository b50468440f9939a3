"""`secateur transcribe`: what is said in sound files, with what a device has installed."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime.archive import opened
from speech.audio import RATE, Floats, decode_audio, read_audio
from speech.errors import BadInput
from speech.printable import printable

if TYPE_CHECKING:
    from runtime.transcript import Transcript

_STANDARD_INPUT = "-"


@click.command("transcribe", epilog="Example: secateur transcribe whisper.secateur memo.wav")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--threads", type=int, default=1, show_default=True, help="Cores that compute.")
@click.option(
    "--window",
    type=float,
    help="Seconds heard at a time; longer sound is cut where it is quietest "
    "[Whisper: as it was trained, mostly 30; SEW and wav2vec 2.0: 40].",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a file.")
def command(
    bundle: Path, files: tuple[str, ...], threads: int, window: float | None, as_json: bool
) -> None:
    """Print what BUNDLE, a folder or a .secateur file, hears in each FILE, a line for each.

    FILE is WAV, FLAC, OGG or MP3 at any rate, or - for standard input. Of several files every line
    begins with the name. One that cannot be read is a sentence on standard error, the others are
    heard all the same, and the exit code is 2.
    """
    from runtime.memory_guard import free_memory_only
    from runtime.recognizer import open_recognizer
    from runtime.settings import Settings

    settings, failed = Settings(threads=threads, window=window), False
    with opened(bundle) as found, free_memory_only():
        recognizer = open_recognizer(found, settings)
        for file in files:
            try:
                samples = _samples(file)
                heard = recognizer.transcribe(samples)
            except BadInput as error:
                failed = True
                click.echo(f"secateur: {error}", err=True)
                if as_json:
                    click.echo(json.dumps({"file": file, "error": str(error)}))
                continue
            if as_json:
                click.echo(json.dumps(_record(file, samples, heard)))
            else:
                click.echo(printable(heard.text if len(files) == 1 else f"{file}: {heard.text}"))
    if failed:
        sys.exit(2)


def _samples(file: str) -> Floats:
    if file == _STANDARD_INPUT:
        return decode_audio(sys.stdin.buffer.read(), "standard input")
    return read_audio(Path(file))


def _record(file: str, samples: Floats, heard: "Transcript") -> dict[str, Any]:
    """Seconds of sound, and seconds that each phase took."""
    return {
        "file": file,
        "text": heard.text,
        "tokens": len(heard.tokens),
        "audio_seconds": len(samples) / RATE,
        "seconds": dict(heard.seconds),
    }
