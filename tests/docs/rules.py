"""Which documented commands are run as they stand, which shorter, and which not, and why.

Every command of README, CONTRIBUTING and docs/ is run by `make test-docs` in a copy of what it
needs, after the replacements below. What is in `NOT_RUN` is only read: its options and targets
must exist.
"""

import re
from fnmatch import fnmatchcase

_NETWORK = "asks the internet"
_HOURS = "takes minutes to hours"
_SELF = "is what CI runs anyway"
_HARDWARE = "is typed on, or speaks to, a device that is not here"
_KEYS = "waits for keys or a browser"
_SHELL = "is about the reader's own shell"

#: Commands that are not run, as a shell would match them, and why.
NOT_RUN = {
    "source *": _SHELL,
    "make test*": _SELF,
    "make lint": _SELF,
    "make docs*": _SELF,
    "make demo-models": _HOURS,
    "make curves": _HOURS,
    "make bench": _HOURS,
    "make bench-peers": _HOURS,
    "make optimum": _NETWORK,
    "make docker*": "needs a Docker daemon",
    "docker *": "needs a Docker daemon",
    "make tui*": _KEYS,
    "secateur tui*": _KEYS,
    "python -m benchmarks*": _HOURS,
    "secateur run recipes/every-method.toml": _HOURS,
    "sudo *": _HARDWARE,
    "ssh *": _HARDWARE,
    "scp *": _HARDWARE,
    "*librispeech:*": _NETWORK,
    "*openai/whisper-*": _NETWORK,
    "secateur run study.toml": _NETWORK,
    "pip install *": _NETWORK,
    "secateur run * --executor ray *": "needs Ray, which `make test-long` installs and tests",
    "hf download *": _NETWORK,
    "secateur * --gpus *": "needs several GPUs",
}

#: Of those, what is run all the same: it names what is on the internet, and asks nothing there.
RUN_ALL_THE_SAME = ("secateur recipe *",)

#: Names that stand for what a reader has: a pattern, and what a test has in its place.
STANDS_FOR = (
    (r"bundles/demo/\*", "bundles/demo/demo-sew-dense bundles/demo/demo-whisper-dense"),
    (r"bundles/demo/demo-whisper-dense\*", "bundles/demo/demo-whisper-dense"),
    (r"\bpi@raspberrypi\.local\b", "$BOARD"),
    (r"\bwhisper\.secateur memo\.wav\b", "BUNDLE FILE..."),
    (r"\bBUNDLE FILE\.\.\.", "bundles/demo/demo-whisper-dense assets/clips/test/000.flac"),
    (r"\bMODEL --corpus CORPUS\b", "demo-sew --corpus demo"),
    (r"\bmemo\.wav\b", "assets/clips/test/000.flac"),
    (r"\bCONFIG\.json\b", "tests/docs/config.json"),
    (r"-o FILE\b", "-o imported.toml"),
    (r"-o docs/", "-o "),
    (r"--plot docs/", "--plot "),
)

#: What is said behind a command so that it ends soon: the later of two values counts.
#: A shell's pattern of the command, and the words.
SHORTER = (
    ("secateur eval *--corpus demo*", "--limit 10"),
    ("secateur eval * --transcripts*", "--limit 2"),
    ("secateur prune *--corpus demo*", "--clips 8"),
    ("secateur prune *--method obs *", "--quick"),
    ("secateur prune *--steps *", "--steps 2 --batch 2"),
    ("secateur sensitivity *", "--clips 2 --calibration-clips 4 --sparsities 0.5,0.9"),
    ("secateur bench * --sustained *", "--sustained 1 --count 1"),
    ("secateur bench bundles*--device this*", "--count 1 --samples 2"),
    ("secateur bench * --tune*", "--count 1 --samples 2"),
    ("secateur push *", "--dry-run"),
    ("secateur sweep *", "--num-samples 4 --calibration-clips 4"),
)

#: The same for every recipe that is run: by section its keys, and their values.
SHORTER_RECIPE = {
    "corpus": {"limit": 10, "calibration_clips": 8},
    "measure": {"clips": 1, "samples": 2},
    "prune.fine_tuning": {"steps": 2, "batch": 2, "warm_up": 1, "check_every": 2},
}

#: And for the demo's, whose variants the pages name: fewer methods, and no int4.
SHORTER_DEMO = SHORTER_RECIPE | {
    "prune": {"methods": ["mp_global", "obs", "imp_global"]},
    "export": {"precisions": ["fp32", "int8"]},
}

#: And for those that `secateur recipe new` wrote, which have more of everything than a page needs.
SHORTER_NEW_RECIPE = SHORTER_RECIPE | {
    "prune": {"methods": ["mp_global"], "sparsities": [0.0, 0.5]},
    "export": {"precisions": ["fp32"]},
}


def why_not_run(command: str) -> str | None:
    if any(fnmatchcase(command, pattern) for pattern in RUN_ALL_THE_SAME):
        return None
    return next((why for pattern, why in NOT_RUN.items() if fnmatchcase(command, pattern)), None)


def as_run(command: str, **values: str) -> str:
    """The command with what the placeholders stand for, and shorter where a rule says so."""
    for pattern, value in STANDS_FOR:
        command = re.sub(pattern, value, command)
    for name, value in values.items():
        command = command.replace(f"${name.upper()}", value)
    parts = re.split(r"( && )", command)
    return "".join(part + _behind(part) for part in parts)


def _behind(command: str) -> str:
    words = [words for pattern, words in SHORTER if fnmatchcase(command, pattern)]
    return "".join(f" {each}" for each in words)
