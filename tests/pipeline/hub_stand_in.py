"""A model hub on this machine: enough of the real one's protocol for `from_pretrained`."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def hub_stand_in(models: Mapping[str, Path]) -> Iterator[str]:
    """Serve these folders as hub repositories; gives the address for HF_ENDPOINT."""

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, *, with_body: bool) -> None:
            status, headers, body = answer(models, self.path.split("?")[0])
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def answer(models: Mapping[str, Path], path: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body for a path of the hub."""
    parts = path.strip("/").split("/")
    api = parts[:2] == ["api", "models"]
    name = "/".join(parts[2:4] if api else parts[:2])
    if name not in models:
        return 404, {"X-Error-Code": "RepoNotFound"}, b""
    folder = models[name]
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    if api:
        siblings = [{"rfilename": file} for file in files]
        info = {"id": name, "sha": COMMIT, "siblings": siblings, "tags": [], "private": False}
        listing = [{"type": "file", "path": f, "oid": "0", "size": 1} for f in files]
        content = listing if "tree" in parts else info
        return 200, {"Content-Type": "application/json"}, json.dumps(content).encode()
    file = "/".join(parts[4:])
    if parts[2] != "resolve" or file not in files:
        return 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}, b""
    body = (folder / file).read_bytes()
    headers = {"ETag": f'"{hashlib.sha256(body).hexdigest()}"', "X-Repo-Commit": COMMIT}
    return 200, headers, body
