"""A board whose python3 lies: what it answers to a request is written in a file beside it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bench.remote.facts import facts_here
from tests.remote.sshd import Board

#: Requests that are in no lie go to the real python3, with all that was said.
LIAR = """#!{python} -IS
import json, os, sys, time
words, place = sys.argv[1:], {place!r}
name = "probe" if words == ["-I", "-"] else words[4] if words[0] == "-IS" else ""
with open(place + "/lies.json") as file:
    lie = json.load(file).get(name)
if lie is None:
    os.execv({python!r}, ["python3", *words])
if name == "start":
    with open(place + "/job.json", "wb") as file:
        file.write(sys.stdin.buffer.read()[int(words[3]):])
os.close(0)
try:
    with open(place + "/job.json") as file:
        job = json.load(file)
except (OSError, ValueError):
    job = {{"id": "", "cases": [{{"id": ""}}]}}

def filled(text):
    text = text.replace("@JOB", job["id"]).replace("@CASE", job["cases"][0]["id"])
    return text.encode("latin-1" if lie.get("raw") else "utf-8")

for frame in lie.get("frames", ()):
    data = filled(frame)
    os.write(1, b"%d\\n" % len(data) + data)
os.write(2, lie.get("errors", "").encode())
data = filled(lie.get("text", ""))
while data:
    data = data[os.write(1, data):]
while "again" in lie:
    os.write(lie.get("to", 1), filled(lie["again"]))
    time.sleep(lie.get("every", 0))
if lie.get("closes"):
    os.close(1)
if lie.get("sleeps"):
    time.sleep(1000)
sys.exit(lie.get("exit", 0))
"""

Lie = dict[str, Any]


def lying_board(board: Board) -> None:
    python = board.bin / "python3"
    real = str(Path(sys.executable).resolve())
    python.unlink()
    python.write_text(LIAR.format(python=real, place=str(board.folder)))
    python.chmod(0o755)


def lie(board: Board, lies: dict[str, Lie]) -> None:
    (board.folder / "lies.json").write_text(json.dumps(lies))


def said(answer: object) -> Lie:
    return {"text": json.dumps(answer) + "\n"}


#: What no request is ever to be answered with.
NONSENSE: dict[str, Lie] = {
    "a list": said([]),
    "nothing": {"text": ""},
    "a number": said(7),
    "null": said(None),
    "text": said("x"),
    "an empty object": said({}),
    "half an object": {"text": '{"missing": {'},
    "brackets by the thousand": {"text": "[" * 200_000},
    "half a character": said({"problem": "\ud800"}),
    "no text": {"text": "\xff\xfe\x00\x80", "raw": True},
    "no number": {"text": '{"missing": NaN, "time": -Infinity, "exit": NaN}'},
    "digits by the thousand": {"text": "9" * 100_000},
    "an unknown key": said({"missing": {}, "folders": {}, "stranger": 1}),
    "a shell that greets": {"text": "Welcome to this board!\n{}\n"},
    "bytes without end": {"again": "x" * 65536},
    "lines without end": {"again": "{}\n" * 20_000},
    "complaints without end": {"again": "oh dear\n" * 8_000, "to": 2},
    "a traceback": {"errors": "Traceback (most recent call last):\nKeyError: 'x'\n", "exit": 1},
    "a long complaint": {"errors": "e" * 60_000, "exit": 3},
    "a long problem": said({"problem": "p" * 1_000_000}),
    "escapes": said({"problem": "\x1b]0;mine\x07\x1b[2J\r\x9b31m"}),
    "an open end": {"text": "{}", "closes": True, "sleeps": True},
}


def facts(**changes: Any) -> Lie:
    known = {key: value for key, value in vars(facts_here()).items() if key != "skew"}
    return said({**known, **changes})


def probe_lies() -> dict[str, Lie]:
    return {
        "memory below nothing": facts(memory_free_mb=-1),
        "a disk of 400 digits": facts(disk_free_mb=10**400),
        "a Python of no number": facts(python="three.eleven"),
        "a C library of a million": facts(glibc="2.9999999"),
        "half a character in its model": facts(model="\udfff"),
        "a cache that is nowhere": facts(cache="cache\0"),
        "a time before all time": facts(time=-1e300),
        "a list of environments that is none": facts(environments={"a": 1}),
    }


STAMP = {"at": "2026-01-01T00:00:00.000+00:00", "boot": "b"}


def line(kind: str, mono: float = 1.0, **fields: Any) -> str:
    return json.dumps({"kind": kind, **STAMP, "mono": mono, **fields}) + "\n"


STARTED = line("job_started", job="@JOB", agent="1", resumed=False, environment={})
TURN = line("turn_started", 2.0, case="@CASE", turn=0, pid=1)
SAMPLE = {"case": "@CASE", "turn": 0, "clip": 0, "seconds": 0.1, "audio_seconds": 1.0,
          "phases": {}, "tokens": 1}  # fmt: skip
HEARD = {"case": "@CASE", "turn": 0, "clip": 0}
TURN_ENDED = line("turn_ended", 9.0, case="@CASE", turn=0)
JOB_ENDED = line("job_ended", 10.0, cases=1, failed=0)
GONE = {"exit": "", "said": "", "stopped": False}


def journal(*lines: str) -> Lie:
    return {"frames": ["".join([STARTED, TURN, *lines, TURN_ENDED, JOB_ENDED])], **said(GONE)}


#: Of a job that this board claims to have: what it sends, and what is wrong with that.
JOURNALS: dict[str, Lie] = {
    "a clip of no length": journal(line("sample", 3.0, **{**SAMPLE, "audio_seconds": 0})),
    "a clip that is not there": journal(line("sample", 3.0, **{**SAMPLE, "clip": 99})),
    "seconds below nothing": journal(line("sample", 3.0, **{**SAMPLE, "seconds": -4})),
    "seconds of 400 digits": journal(line("sample", 3.0, **{**SAMPLE, "seconds": 10**400})),
    "half a character": journal(
        line("transcript", 3.0, case="@CASE", turn=0, clip=0, text="\ud800")
    ),
    "lines that are none": journal("nonsense\n", "\n", "[]\n", "\0\n"),
    "the same line again": journal(*[line("sample", 3.0, **SAMPLE)] * 50),
    "no text": {**journal("\xff\xfe\n"), "raw": True},
}
#: All is there, and yet it does not end.
ENDLESS: Lie = {**journal(), "again": "0\n", "every": 0.1}
FOLLOWED: dict[str, Lie] = {
    "another journal each time": said({"differs": True}),
    "more lines than there can be": {"text": f"{10**15}\n"},
    "a size below nothing": {"text": "-5\nabcde"},
    "a size of a thousand digits": {"text": "9" * 1000 + "\n"},
    "fewer bytes than announced": {"text": "1000\nabc"},
    "frames without end": {"again": f"{len(STARTED * 100)}\n{STARTED * 100}"},
    "a line without end": {"again": "1000\n" + "x" * 1000},
    "an agent that ends each time": {"frames": [STARTED], **said({**GONE, "exit": "1"})},
    "a reason of a million characters": said({**GONE, "exit": "2", "said": "s" * 10**6}),
    "an exit of another kind": said({**GONE, "exit": 7}),
}


def assembled_lies() -> dict[str, Lie]:
    stranger = "0" * 64
    return {
        "a file that nobody has": said({"missing": {stranger: 0}, "folders": {}}),
        "fewer bytes than none": said({"missing": {stranger: -1}, "folders": {}}),
        "a folder that nobody wants": said({"missing": {}, "folders": {"stranger": "/tmp"}}),
        "a folder that is nowhere": said({"missing": {}, "folders": {"stranger": "tmp"}}),
        "folders that are a list": said({"missing": {}, "folders": []}),
        "a place with a line end": said({"missing": {}, "folders": {"stranger": "/t\nmp"}}),
    }


def known(**changes: Any) -> dict[str, Any]:
    return {
        "id": "abc", "created": "2026", "host": "h", "running": False, "ended": True, **changes
    }  # fmt: skip


ATTACHED: dict[str, dict[str, Lie]] = {
    "jobs that are a list": {"jobs": said([])},
    "a job without a name": {"jobs": said({"jobs": [known(id=None)]})},
    "a job that leads elsewhere": {"jobs": said({"jobs": [known(id="../../x")]})},
    "a description that is a list": {
        "jobs": said({"jobs": [known()]}), "describe": said({"job": []}),
    },
    "a description of depth": {
        "jobs": said({"jobs": [known()]}), "describe": {"text": '{"job":' + "[" * 5000},
    },
    "a description that is another job's": {
        "jobs": said({"jobs": [known()]}),
        "describe": said({"job": {"version": 1, "id": "x", "plan": {"warm_up": -1}}}),
    },
}  # fmt: skip

#: Each costs as long as a device may be silent.
SILENT: dict[str, Lie] = {
    "silence": {"sleeps": True},
    "a byte now and then": {"again": " ", "every": 2.0},
}
