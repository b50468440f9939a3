"""`secateur eval`: word error rate of a checkpoint or a bundle on a corpus."""

import json

import click

from pipeline.commands.ranges import SEEDS
from pipeline.progress import bars
from speech.corpora import open_corpus
from speech.counted import counted


@click.command(
    "eval",
    epilog="Example: secateur eval openai/whisper-tiny.en --corpus librispeech:test-clean --json",
)
@click.argument("model")
@click.option("--corpus", default="demo", show_default=True, help="Name or folder of a corpus.")
@click.option("--split", help="Which part of it: test, train, validation …")
@click.option("--limit", type=click.IntRange(1), help="Take that many clips at random (seeded).")
@click.option("--seed", type=SEEDS, default=0, show_default=True)
@click.option(
    "--normalizer",
    type=click.Choice(["english", "basic", "none"]),
    help="How texts are made comparable [default: the corpus's own].",
)
@click.option("--language", help="Tell a multilingual Whisper the language, such as en.")
@click.option("--revision", help="Branch, tag or commit of a hub model.")
@click.option("--device", default="auto", show_default=True, help="auto, cuda, mps or cpu.")
@click.option(
    "--threads", type=click.IntRange(1), default=1, show_default=True, help="For bundles."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--transcripts", is_flag=True, help="With --json: add what was heard in each clip.")
def command(
    model: str,
    corpus: str,
    split: str | None,
    limit: int | None,
    seed: int,
    normalizer: str | None,
    language: str | None,
    revision: str | None,
    device: str,
    threads: int,
    as_json: bool,
    transcripts: bool,
) -> None:
    """Word error rate of MODEL with its 95 % bootstrap interval.

    MODEL is a checkpoint folder, a hub name, or a bundle, also a .secateur file of one (heard by
    onnxruntime, as on the device).
    """
    with bars() as report:
        report(f"opening {corpus}", 0, 1)
        clips = open_corpus(corpus, split=split, limit=limit, seed=seed)
        report(f"opening {model}", 0, 1)
        from pipeline.evaluate import evaluate

        result = evaluate(
            model,
            clips,
            normalizer=normalizer,
            language=language,
            revision=revision,
            device=device,
            threads=threads,
            progress=lambda done: report(f"transcribing {clips.name}", done, len(clips)),
        )
    if as_json:
        record = result.to_json()
        if transcripts:
            names = [clip.name for clip in clips.clips]
            record["transcripts"] = dict(zip(names, result.hypotheses, strict=True))
        click.echo(json.dumps(record))
        return
    s = result.score
    click.echo(f"{model} on {clips.name}: {counted(s.clips, 'clip')}, {counted(s.words, 'word')}")
    if long := result.longer_than_window:
        clip = "clip is" if long == 1 else "clips are"
        click.echo(
            f"{long} {clip} longer than the model's window of {result.window_seconds:g} s "
            "and heard window by window."
        )
    click.echo(
        f"WER {100 * s.wer:.2f} % (95 %: {100 * s.wer_low:.2f} to {100 * s.wer_high:.2f}), "
        f"CER {100 * s.cer:.2f} %, normaliser {s.normalizer}"
    )
    click.echo(
        f"{s.substitutions} substitutions, {s.insertions} insertions, {s.deletions} deletions"
    )
