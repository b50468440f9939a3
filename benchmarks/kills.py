"""Does a run that is killed again and again end with the same bundles as an undisturbed one?

    python -m benchmarks.kills recipes/demo-study.toml --times 10 --undisturbed study.json

runs the recipe to its end, notes the hash of every bundle in study.json, clears the output, and
runs it again, each time killed (SIGKILL, with all that it has begun) at a random moment within a
tenth of the time that the undisturbed run took, before it may end. The recipe's output folder must
not exist yet. Where study.json is there already, it is believed.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil

from pipeline.plan import cells
from pipeline.recipe import read_recipe
from runtime.bundle import Bundle
from runtime.whole_folder import refuse_taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--undisturbed", type=Path, required=True)
    args = parser.parse_args()
    recipe = read_recipe(args.recipe)
    output, draw = Path(recipe.output), random.Random(args.seed)
    refuse_taken(output)

    def hashes() -> dict[str, str]:
        """Of what could be made: a method does not reach every sparsity."""
        folders = (output / cell.name for cell in cells(recipe))
        there = (folder for folder in folders if folder.exists())
        return {path.name: Bundle.open(path, check_hashes=True).sha256 for path in there}

    if not args.undisturbed.exists():
        began = time.monotonic()
        subprocess.run(_command(args.recipe), check=True, stdout=subprocess.DEVNULL)
        found = {"seconds": time.monotonic() - began, "hashes": hashes()}
        args.undisturbed.write_text(json.dumps(found))
        shutil.rmtree(output)
    undisturbed = json.loads(args.undisturbed.read_text())
    expected, took = undisturbed["hashes"], undisturbed["seconds"]
    print(f"undisturbed: {len(expected)} bundles in {took:.0f} s", flush=True)
    for number in range(args.times):
        moment = draw.uniform(0, took / args.times)  # so that the last is before the end
        if _killed_after(moment, _command(args.recipe)):
            there = sum((output / name / "bundle.json").exists() for name in expected)
            print(f"kill {number + 1} after {moment:.1f} s: {there} bundles are there", flush=True)
    subprocess.run(_command(args.recipe), check=True, stdout=subprocess.DEVNULL)
    found = hashes()
    every = sorted({*found, *expected})
    other = [name for name in every if found.get(name) != expected.get(name)]
    print(f"{len(every) - len(other)} of {len(every)} bundles are the same, bit for bit")
    if other:
        sys.exit(f"Others: {', '.join(other)}")


def _command(recipe: Path) -> list[str]:
    return [sys.executable, "-m", "pipeline", "run", str(recipe)]


def _killed_after(seconds: float, command: list[str]) -> bool:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        whole = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
        for each in reversed(whole):
            each.kill()
        psutil.wait_procs(whole)
        process.wait()
        return True
    return False


if __name__ == "__main__":
    main()
