"""Run by the Python of an environment with optimum: what its classes hear from an exported folder.

    python -I listener.py FOLDER CLIPS.npz ANSWER.json '{"language": "<|en|>", …}'

Stands alone: Secateur need not be installed there. Exits with NO_OPTIMUM where optimum is not.
"""

import json
import sys
from pathlib import Path
from typing import Any

NO_OPTIMUM = 3
RATE = 16_000


def main(folder: Path, clips_file: Path, answer: Path, choice: dict[str, str]) -> None:
    try:
        from optimum.onnxruntime import ORTModelForCTC, ORTModelForSpeechSeq2Seq
    except ImportError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the caller reads it
        sys.exit(NO_OPTIMUM)
    import numpy as np
    from optimum.version import __version__
    from transformers import AutoProcessor

    seq2seq = (folder / "generation_config.json").exists()
    kind: Any = ORTModelForSpeechSeq2Seq if seq2seq else ORTModelForCTC
    model = kind.from_pretrained(folder, trust_remote_code=False)
    processor = AutoProcessor.from_pretrained(folder, trust_remote_code=False)
    heard = []
    with np.load(clips_file) as clips:
        for clip in clips.values():
            given = processor(clip, sampling_rate=RATE, return_tensors="pt")
            if seq2seq:
                tokens = model.generate(given.input_features, **choice)[0]
            else:
                tokens = model(given.input_values).logits[0].argmax(-1)
            text = processor.tokenizer.decode(tokens, skip_special_tokens=seq2seq)
            heard.append({"tokens": tokens.tolist(), "text": text})
    answer.write_text(json.dumps({"optimum": __version__, "heard": heard}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), json.loads(sys.argv[4]))
