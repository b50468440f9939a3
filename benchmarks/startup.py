"""`python -m benchmarks.startup`: time of `secateur --help`, memory of the agent's imports."""

import statistics
import subprocess
import sys
import time

ROUNDS = 15

AGENT = """
import psutil, runtime.recognizer, bench.agent.turn, speech.corpora, speech.audio, speech.scoring
import re, pathlib, sys
status = pathlib.Path("/proc/self/status")
if status.exists():
    print(int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]) / 1024)
else:
    import resource
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2)
"""


def main() -> None:
    helps, peaks = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "pipeline", "--help"], capture_output=True, check=True
        )
        helps.append(time.perf_counter() - began)
        done = subprocess.run([sys.executable, "-c", AGENT], capture_output=True, check=True)
        peaks.append(float(done.stdout))
    print(f"median (least to most) of {ROUNDS} fresh processes")
    print(f"  secateur --help      {spread(helps, '.3f')} s")
    print(f"  agent import, peak   {spread(peaks, '.1f')} MB")


def spread(values: list[float], form: str) -> str:
    middle = statistics.median(values)
    return f"{middle:{form}} ({min(values):{form}} to {max(values):{form}})"


if __name__ == "__main__":
    main()
