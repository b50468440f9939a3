"""A hub that takes uploads: enough of the real one's protocol for a commit with large files."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml
from huggingface_hub import constants

TOKEN = "hf_of_this_test"

#: Larger files go to the store for large files, as do all of these kinds.
_REGULAR, _LARGE = 10_000, (".onnx", ".safetensors", ".png")

Answer = tuple[int, Mapping[str, str], bytes]


@dataclass(frozen=True)
class Commit:
    oid: str
    branch: str
    message: str
    files: Mapping[str, bytes]


@dataclass
class Repository:
    private: bool = False
    branches: dict[str, dict[str, bytes]] = field(default_factory=lambda: {"main": {}})
    commits: list[Commit] = field(default_factory=list)

    def tip(self, revision: str) -> str:
        """The number of a branch's last commit; that of any other revision is itself."""
        mine = [commit.oid for commit in self.commits if commit.branch == revision]
        return mine[-1] if mine else _oid(revision)

    def files(self, revision: str) -> Mapping[str, bytes]:
        """At the tip of a branch, or as of a commit."""
        by_number = {commit.oid: commit.files for commit in self.commits}
        return {**self.branches, **by_number}[revision]


@dataclass
class Hub:
    """What it holds; `owners` are those in whose name our token may write."""

    owners: tuple[str, ...] = ("me",)
    repositories: dict[str, Repository] = field(default_factory=dict)
    #: The store for large files, by SHA-256.
    large: dict[str, bytes] = field(default_factory=dict)
    #: Paths that a .gitignore would keep out.
    ignored: tuple[str, ...] = ()
    #: "POST /api/…" of everything that was asked, in order.
    asked: list[str] = field(default_factory=list)
    address: str = ""

    def environment(self, home: Path) -> dict[str, str]:
        """How the command is to find it; `home` is where the library keeps its own files.

        Xet, the library's first choice, is a protocol of its own: the stand-in speaks plain LFS.
        """
        return {
            "HF_ENDPOINT": self.address,
            "HF_TOKEN": TOKEN,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_XET": "1",
        }

    def expect(self, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
        """As `environment`, for copies of this process, where the library is loaded already."""
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, self.address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", self.address)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)

    def answer(self, method: str, path: str, token: str, body: bytes) -> Answer:
        self.asked.append(f"{method} {path}")
        for pattern, reply in self._routes(method).items():
            if found := re.fullmatch(pattern, path):
                if method == "POST" and token != f"Bearer {TOKEN}":
                    return _json({"error": "Invalid username or password."}, 401)
                return reply(body, *map(unquote, found.groups()))
        return _missing("EntryNotFound")

    def _routes(self, method: str) -> Mapping[str, Callable[..., Answer]]:
        model = "/api/models/([^/]+/[^/]+)"
        if method == "PUT":
            return {"/large/([0-9a-f]{64})": self._store}
        if method in ("GET", "HEAD"):
            return {
                model: self._info,
                f"{model}/revision/([^/]+)": self._info,
                f"{model}/tree/([^/]+)": self._tree,
                "/([^/]+/[^/]+)/resolve/([^/]+)/(.+)": self._file,
            }
        return {
            "/api/repos/create": self._create,
            "/api/validate-yaml": self._validate,
            f"{model}/branch/([^/]+)": self._branch,
            f"{model}/preupload/([^/]+)": self._modes,
            "/([^/]+/[^/]+).git/info/lfs/objects/batch": self._batch,
            f"{model}/commit/([^/]+)": self._commit,
        }

    def _create(self, body: bytes) -> Answer:
        wanted = json.loads(body)
        name = f"{wanted['organization']}/{wanted['name']}"
        if wanted["organization"] not in self.owners:
            return _json({"error": "You don't have the rights to create a model there"}, 403)
        status = 409 if name in self.repositories else 200
        self.repositories.setdefault(name, Repository(wanted.get("visibility") == "private"))
        return _json({"url": f"{self.address}/{name}"}, status)

    def _validate(self, body: bytes) -> Answer:
        """A card's head, of which the hub knows the licences."""
        license = yaml.safe_load(json.loads(body)["content"].split("---\n")[1]).get("license")
        wrong = [] if license in (None, "mit") else [{"message": '"license" must be one of [mit]'}]
        return _json({"errors": wrong, "warnings": []}, 400 if wrong else 200)

    def _branch(self, body: bytes, name: str, branch: str) -> Answer:
        branches = self.repositories[name].branches
        status = 409 if branch in branches else 200
        branches.setdefault(branch, dict(branches["main"]))
        return _json({}, status)

    def _info(self, body: bytes, name: str, revision: str = "main") -> Answer:
        if name not in self.repositories:
            return _missing("RepoNotFound")
        repository = self.repositories[name]
        siblings = [{"rfilename": path} for path in repository.files(revision)]
        info = {"id": name, "sha": repository.tip(revision), "private": repository.private}
        return _json({**info, "siblings": siblings, "tags": []})

    def _tree(self, body: bytes, name: str, revision: str) -> Answer:
        files = self.repositories[name].files(revision)
        listing = [
            {"type": "file", "path": path, "oid": _oid(path), "size": len(content)}
            for path, content in files.items()
        ]
        return _json(listing)

    def _file(self, body: bytes, name: str, revision: str, path: str) -> Answer:
        repository = self.repositories[name]
        content = repository.files(revision)[path]
        tag = hashlib.sha256(content).hexdigest()
        return 200, {"ETag": f'"{tag}"', "X-Repo-Commit": repository.tip(revision)}, content

    def _modes(self, body: bytes, name: str, revision: str) -> Answer:
        modes = []
        for file in json.loads(body)["files"]:
            large = file["size"] > _REGULAR or file["path"].endswith(_LARGE)
            mode = {"path": file["path"], "uploadMode": "lfs" if large else "regular"}
            modes.append({**mode, "shouldIgnore": file["path"] in self.ignored})
        return _json({"files": modes})

    def _batch(self, body: bytes, name: str) -> Answer:
        wanted = json.loads(body)["objects"]
        for file in wanted:
            if file["oid"] not in self.large:
                file["actions"] = {"upload": {"href": f"{self.address}/large/{file['oid']}"}}
        return _json({"transfer": "basic", "objects": wanted})

    def _store(self, body: bytes, oid: str) -> Answer:
        if hashlib.sha256(body).hexdigest() != oid:
            return _json({"error": "these bytes have another hash"}, 400)
        self.large[oid] = body
        return _json({})

    def _commit(self, body: bytes, name: str, branch: str) -> Answer:
        repository = self.repositories[name]
        files, message = dict(repository.branches[branch]), ""
        for line in body.splitlines():
            message = self._apply(json.loads(line), files) or message
        oid = _oid(f"{name}{len(repository.commits)}")
        repository.branches[branch] = files
        repository.commits.append(Commit(oid, branch, message, files))
        url = f"{self.address}/{name}/commit/{oid}"
        return _json({"commitUrl": url, "commitOid": oid, "success": True})

    def _apply(self, line: dict[str, Any], files: dict[str, bytes]) -> str | None:
        """One line of a commit; gives the message if that is what it holds."""
        value = line["value"]
        match line["key"]:
            case "header":
                return str(value["summary"])
            case "file":
                files[value["path"]] = base64.b64decode(value["content"])
            case "lfsFile":
                files[value["path"]] = self.large[value["oid"]]
            case "deletedFile":
                del files[value["path"]]
        return None


def _oid(of: str) -> str:
    return of if re.fullmatch("[0-9a-f]{40}", of) else hashlib.sha1(of.encode()).hexdigest()


def _json(content: object, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(content).encode()


def _missing(what: str) -> Answer:
    return 404, {"X-Error-Code": what}, b""


@contextmanager
def hub_that_takes(hub: Hub) -> Iterator[Hub]:
    """Run it for a while, at the address that it then has."""

    class Desk(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, token = self.path.split("?")[0], self.headers.get("Authorization", "")
            status, headers, content = hub.answer(self.command, path, token, body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = _serve  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    hub.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
