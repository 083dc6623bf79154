"""A model hub on this machine: its cache's layout on disk, and a server of what diffusers asks it for."""

import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def cached(cache: Path, repository: str, folder: Path, revision: str = "main") -> Path:
    """Puts `folder` into `cache` as `hf download` does: blobs, refs, a snapshot of links; returns the snapshot."""
    store = cache / f"models--{repository.replace('/', '--')}"
    snapshot = store / "snapshots" / COMMIT
    (store / "blobs").mkdir(parents=True)
    (store / "refs").mkdir()
    (store / "refs" / revision).write_text(COMMIT)
    for path in _files(folder):
        blob = store / "blobs" / hashlib.sha256(path.read_bytes()).hexdigest()
        shutil.copyfile(path, blob)
        link = snapshot / path.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    return snapshot


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


class FakeHub(ThreadingHTTPServer):
    """Serves one folder as "our/model", revisions "main" and "old"; "our/gated" is gated, all else is not there.

    Attributes:
        asked: (path, token) of every request.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.asked: list[tuple[str, str | None]] = []
        self.address = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeHub

    def do_GET(self):
        self.server.asked.append((self.path, self.headers["Authorization"]))
        path = self.path.partition("?")[0].strip("/").split("/")
        repository, rest = path[:2], path[2:]
        if path[0] == "api":
            repository, rest = path[2:4], path[4:] or ["revision", "main"]
        if repository != ["our", "model"]:
            return self._refuse(*((403, "GatedRepo") if repository == ["our", "gated"] else (401, "RepoNotFound")))
        if rest[1] not in ("main", "old", COMMIT):
            return self._refuse(404, "RevisionNotFound")
        if path[0] == "api":
            siblings = [{"rfilename": f.relative_to(self.server.folder).as_posix()} for f in _files(self.server.folder)]
            found = {"id": "our/model", "sha": COMMIT, "siblings": siblings}
            if rest[0] == "tree":
                found = [{"type": "file", "path": s["rfilename"], "size": 1, "oid": "0"} for s in siblings]
            return self._answer(json.dumps(found).encode(), "application/json")
        file = self.server.folder.joinpath(*rest[2:])
        if not file.is_file():
            return self._refuse(404, "EntryNotFound")
        return self._answer(file.read_bytes(), "application/octet-stream")

    do_HEAD = do_GET  # noqa: N815  (the protocol's name)

    def _answer(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Says nothing."""


@contextmanager
def serving(folder: Path) -> Iterator[FakeHub]:
    """A running hub with `folder` as its only model."""
    hub = FakeHub(folder)
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()
