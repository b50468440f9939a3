"""`python -m benchmarks.every_method bundles/every-method`: what rounding costs each bundle.

Lists the error rates of a run's variants as Markdown. Those of PyTorch and of rounded bundles were
measured by the run and stand in the manifests; fp32 bundles are heard here by onnxruntime, clip by
clip of the same corpus, and have to agree with PyTorch exactly.
"""

import argparse
import sys
from pathlib import Path

from pipeline.progress import bars
from runtime.bundle import Bundle
from runtime.recognizer import open_recognizer
from speech.corpora import Corpus, open_corpus
from speech.scoring import score

ROUNDED = ("fp16", "int8", "int4")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--corpus", default="demo:test")
    options = parser.parse_args()
    corpus = open_corpus(options.corpus)
    bundles = {path.parent.name: path.parent for path in options.folder.glob("*/bundle.json")}
    plain = sorted(name for name in bundles if not name.endswith(ROUNDED))
    print("| | zeros | PyTorch | fp32 | " + " | ".join(ROUNDED) + " |")
    print("|---|---:|---:|---:|" + "---:|" * len(ROUNDED))
    differ = []
    with bars() as report:
        for number, name in enumerate(plain):
            report("listening with fp32 bundles", number, len(plain))
            bundle = Bundle.open(bundles[name])
            torch_says, ort_says = _noted(bundle), _heard(bundle, corpus)
            if torch_says != ort_says:
                differ.append(name)
            rounded = [
                _percent(_noted(Bundle.open(bundles[f"{name}-{precision}"])))
                if f"{name}-{precision}" in bundles
                else "refused"
                for precision in ROUNDED
            ]
            zeros = _percent(bundle.manifest.sparsity.achieved)
            cells = [f"`{name}`", zeros, _percent(torch_says), _percent(ort_says), *rounded]
            print(f"| {' | '.join(cells)} |", flush=True)
    if differ:
        sys.exit(f"onnxruntime's error rate is not PyTorch's: {', '.join(differ)}")


def _noted(bundle: Bundle) -> float:
    assert bundle.manifest.score, f"{bundle.folder} was never scored: run its recipe again"
    return bundle.manifest.score.wer


def _heard(bundle: Bundle, corpus: Corpus) -> float:
    recognizer = open_recognizer(bundle)
    texts = [recognizer.transcribe(clip.samples()).text for clip in corpus.clips]
    return score([clip.text for clip in corpus.clips], texts, normalizer=corpus.normalizer).wer


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


if __name__ == "__main__":
    main()
