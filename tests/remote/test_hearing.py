"""What a device hears is what PyTorch hears on the host, and so is its error rate."""

from __future__ import annotations

import json
import subprocess
import sys

from bench.agent.job import Plan
from bench.remote.there.environment import MODULES
from bench.remote.work import Request, Worker
from prune.checkpoint import open_checkpoint
from prune.listen import transcribe
from speech.corpora import open_corpus
from speech.scoring import score_on
from tests.export.exported import demo
from tests.remote.sshd import Board

MODELS = ("demo-sew", "demo-whisper")


def test_a_device_hears_what_pytorch_hears_clip_for_clip(board: Board, worker: Worker) -> None:
    corpus = open_corpus("demo:test", limit=12, seed=3)
    count = len(corpus.clips)
    plan = Plan(warm_up=0, min_samples=count, max_samples=count, turn_samples=count)
    request = Request([demo(name) for name in MODELS], corpus, plan=plan)
    measured = worker.watch(worker.begin(request))
    for name, found in zip(MODELS, measured, strict=True):
        assert found.error is None
        texts = transcribe(open_checkpoint(name), (clip.samples() for clip in corpus.clips))
        wanted = [
            (clip.name, clip.text, text) for clip, text in zip(corpus.clips, texts, strict=True)
        ]
        assert [(heard.clip, heard.reference, heard.text) for heard in found.transcripts] == wanted
        host = score_on(corpus, texts)
        assert found.score == host.to_json()
        assert host.words > 20
        assert host.wer < 0.2


HEAR = f"""
import json, sys
from pathlib import Path
import {", ".join(MODULES)}
from bench.agent.turn import TurnOrder, take_turn
from bench.agent.job import ClipFile
from runtime.settings import DEFAULT
known, [clip, *bundles] = set(sys.modules), map(Path, sys.argv[1:])
for bundle in bundles:
    order = TurnOrder("", 0, bundle, None, DEFAULT, (ClipFile(clip, ""),), 0, 0, 1, True)
    take_turn(order, lambda event: None)
print(json.dumps([name for name in sys.modules if name not in known]))
"""


def test_nothing_is_imported_while_hearing_that_a_deploy_did_not_compile() -> None:
    """Or each process would compile it anew, and the memory for that would be measured."""
    [clip] = open_corpus("demo:test", limit=1).clips
    words = [str(clip.audio), *(str(demo(name).folder) for name in MODELS)]
    done = subprocess.run([sys.executable, "-c", HEAR, *words], capture_output=True, check=True)
    late = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert late <= sys.stdlib_module_names
