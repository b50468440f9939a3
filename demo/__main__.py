"""`python -m demo`: speak the clips, train both models, write `assets/`. Resumable."""

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from tqdm import tqdm

from prune import cpu_torchaudio

cpu_torchaudio.allow_import()

from demo import clips, scores, sew, whisper  # noqa: E402
from demo.training import Learner, Plan, train  # noqa: E402
from demo.voices import espeak_missing  # noqa: E402

WHISPER_PLAN = Plan(steps=6000, batch=16, peak_rate=1e-3, warm_up=400)
SEW_PLAN = Plan(steps=8500, batch=16, peak_rate=1e-3, warm_up=200)
POOL_SIZE = 10_000


def build_whisper(work: Path) -> whisper.WhisperLearner:
    tokenizer = whisper.build_tokenizer()
    return whisper.WhisperLearner(tokenizer, whisper.build_model(tokenizer))


def build_sew(work: Path) -> sew.SewLearner:
    """Its teacher is demo-whisper as training left it."""
    teacher = build_whisper(work)
    state = torch.load(work / "demo-whisper.pt", weights_only=True)
    teacher.module.load_state_dict(state["module"])
    tokenizer = sew.build_tokenizer()
    return sew.SewLearner(tokenizer, sew.build_model(tokenizer), teacher)


MODELS: dict[str, tuple[Callable[[Path], Learner], Plan, float | None]] = {
    "demo-whisper": (build_whisper, WHISPER_PLAN, clips.WINDOW_SECONDS),
    "demo-sew": (build_sew, SEW_PLAN, None),
}


def make_clips(assets: Path) -> None:
    for name, seed, unheard in (("test", 11, True), ("calibration", 12, False)):
        folder = assets / "clips" / name
        if (folder / "metadata.jsonl").exists():
            continue
        beside = folder.with_name(f"{name}.part")
        shutil.rmtree(beside, ignore_errors=True)
        clips.write_clips(beside, 200, seed, unheard=unheard)
        shutil.rmtree(folder, ignore_errors=True)
        beside.rename(folder)


def make_model(name: str, assets: Path, work: Path) -> None:
    build, plan, seconds = MODELS[name]
    with tqdm(desc="speaking", total=POOL_SIZE, disable=None) as bar:
        pool = clips.build_pool(
            work / "pool.npz", POOL_SIZE, 1, lambda done, _: bar.update(done - bar.n)
        )
    torch.manual_seed(plan.seed)
    learner = build(work)
    began = time.monotonic()
    with tqdm(desc=name, total=plan.steps, disable=None) as bar:

        def report(step: int, loss: float) -> None:
            bar.update(step - bar.n)
            bar.set_postfix(loss=f"{loss:.3f}")
            if bar.disable and step % 100 == 0:
                print(f"{name} {step} {loss:.3f} {time.monotonic() - began:.0f}s", flush=True)

        checkpoint = work / f"{name}.pt"
        for _ in train(learner, plan, pool, checkpoint, seconds=seconds, report=report):
            learner.save(work / name)
    learner.save(work / name)
    shutil.rmtree(assets / name, ignore_errors=True)
    shutil.copytree(work / name, assets / name)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("what", nargs="*", help="clips, demo-whisper, demo-sew (all)")
    parser.add_argument("--assets", type=Path, default=Path("assets"))
    parser.add_argument("--work", type=Path, default=Path("build/demo"), help="for resuming")
    options = parser.parse_args()
    if missing := espeak_missing():
        print(missing, file=sys.stderr)
        return 2
    options.work.mkdir(parents=True, exist_ok=True)
    wanted = options.what or ["clips", *MODELS]
    if "clips" in wanted:
        make_clips(options.assets)
    for name in MODELS:
        if name in wanted:
            make_model(name, options.assets, options.work)
    trained = [name for name in MODELS if (options.assets / name).is_dir()]
    for line in scores.lines(options.assets, trained):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
