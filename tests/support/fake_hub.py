"""A model hub on this machine: its cache's layout on disk, and a server of what diffusers asks it for."""

import hashlib
import json
import re
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
from huggingface_hub import constants, file_download, hf_api

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
    """Serves one folder as "our/model", revisions "main" and "old"; all else but the gated is not there.

    "our/gated" is gated, "our/terms" too, though it lists its files, as the real hub does; "our/closed" is refused
    without a word why.

    Attributes:
        asked: (path, token) of every request.
        sent: File -> bytes of it that were sent.
        ranges: Whether parts of files are served.
        more: Names that its list of files has besides.
    """

    more: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.asked: list[tuple[str, str | None]] = []
        self.sent: Counter[str] = Counter()
        self.ranges = True
        self.address = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeHub

    def do_GET(self):
        self.server.asked.append((self.path, self.headers["Authorization"]))
        path = self.path.partition("?")[0].strip("/").split("/")
        repository, rest = path[:2], path[2:]
        if path[0] == "api":
            repository, rest = path[2:4], path[4:] or ["revision", "main"]
        name, files_too = "/".join(repository), path[0] != "api"
        if name in ("our/closed", "our/gated") or (name == "our/terms" and files_too):
            return self._refuse(401 if files_too else 403, "" if name == "our/closed" else "GatedRepo")
        if name not in ("our/model", "our/terms"):
            return self._refuse(401, "RepoNotFound")
        if rest[1] not in ("main", "old", COMMIT):
            return self._refuse(404, "RevisionNotFound")
        if path[0] == "api":
            files = {f.relative_to(self.server.folder).as_posix(): f for f in _files(self.server.folder)}
            siblings = [{"rfilename": name, "size": file.stat().st_size} for name, file in files.items()]
            siblings += [{"rfilename": name, "size": 2} for name in self.server.more]
            found = {"id": "our/model", "sha": COMMIT, "siblings": siblings}
            if rest[0] == "tree":
                found = [{"type": "file", "path": s["rfilename"], "size": 1, "oid": "0"} for s in siblings]
            return self._answer(json.dumps(found).encode(), "application/json")
        file = self.server.folder.joinpath(*rest[2:])
        if not file.is_file():
            return self._refuse(404, "EntryNotFound")
        part = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"] or "") if self.server.ranges else None
        with file.open("rb") as opened:
            opened.seek(int(part[1]) if part else 0)
            content = opened.read(int(part[2]) - int(part[1]) + 1 if part else -1)
        self.server.sent["/".join(rest[2:])] += len(content) * (self.command == "GET")
        return self._answer(content, "application/octet-stream", 206 if part else 200)

    do_HEAD = do_GET  # noqa: N815  (the protocol's name)

    def _answer(self, content: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
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
    thread = threading.Thread(target=hub.serve_forever, args=(0.01,), daemon=True)  # seconds until it sees its end
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()


def use(address, monkeypatch):
    """Makes this process use the hub at an address."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    for module in (constants, file_download):  # the second has a copy before 1.0
        monkeypatch.setattr(module, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
    monkeypatch.setattr(hf_api.api, "endpoint", address)
    close_session()


def close_session():
    """Closes connections to a hub that is gone; huggingface_hub before 1.0 does so at its next request."""
    close = getattr(huggingface_hub, "close_session", None) or huggingface_hub.utils.reset_sessions
    close()
