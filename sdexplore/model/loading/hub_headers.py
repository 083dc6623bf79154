"""A repository of the hub without its weights: its configurations, and the headers of its safetensors files.

HTTP range requests fetch the header of a file, as huggingface_hub's `parse_safetensors_file_metadata` does. It is then
checked like the header of any file.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

from ...base.display import size
from ...base.errors import LoadError
from .load_errors import explained
from .safetensors_headers import LENGTH, Header, climbs_out, header_in, header_length, read_json
from .sources import Source

INDEX = "model_index.json"
JSON = ("*config.json", "*.safetensors.index*.json")
_FIRST = 100_000  # bytes of the first request: most headers are shorter, and a second request takes longer
_LONGEST = 25_000_000  # most bytes of a header or configuration that are fetched; huggingface_hub's own limit
_PART = 206  # HTTP's status for a part of a file
_WAIT = 30.0  # seconds without an answer


@dataclass
class Outline:
    """A revision of a repository: a folder that has all of its file names, and content in configurations only.

    Attributes:
        name: The hub id.
        folder: The folder; files deeper than a component's folder are left out.
        revision: The commit.
        token: As the user gave it.
        sizes: File name on the hub -> bytes.
        fetched: How many bytes were fetched.
    """

    name: str
    folder: Path
    revision: str
    token: str | None
    sizes: dict[str, int]
    fetched: int = 0

    def read_header(self, path: Path, name: str | None = None) -> Header:
        """The header of a file of the folder, fetched from the hub; LoadError where it is damaged or hostile."""
        file = path.relative_to(self.folder).as_posix()
        shown, whole = repr(name or file), self.sizes[file]
        start = self._fetch(file, 0, min(whole, _FIRST)) if whole else b""
        length = header_length(start, whole, shown)
        if length > _LONGEST:
            raise LoadError(f"the header of {shown} is {length:,} bytes long, and {_LONGEST:,} are fetched at most")
        if (there := len(start) - LENGTH) < length:
            start += self._fetch(file, len(start), length - there)
        return header_in(start[LENGTH : LENGTH + length], whole, shown)

    def fill(self) -> None:
        """Fetches the configurations of the repository's root, and of the components that its index names."""
        parts = {""}
        if INDEX in self.sizes:
            self._fill(INDEX)
            parts |= set(read_json(self.folder / INDEX, f"{INDEX} of {self.name!r}"))
        for file in self.sizes:
            part, _, own = file.rpartition("/")
            if part in parts and any(fnmatch(own, pattern) for pattern in JSON):
                self._fill(file)

    def _fill(self, file: str) -> None:
        if (there := self.sizes[file]) > _LONGEST:
            raise LoadError(f"{file} of {self.name!r} is {there:,} bytes long, and {_LONGEST:,} are fetched at most")
        (self.folder / file).write_bytes(self._fetch(file))

    def _fetch(self, file: str, first: int = 0, length: int | None = None) -> bytes:
        """A file's content, or `length` bytes from `first` on."""
        headers = build_hf_headers(token=self.token)
        if length is not None:
            headers |= {"Range": f"bytes={first}-{first + length - 1}", "Accept-Encoding": "identity"}
        address = hf_hub_url(self.name, file, revision=self.revision)
        answer = get_session().get(address, headers=headers, timeout=_WAIT)
        hf_raise_for_status(answer)
        content: bytes = answer.content
        self.fetched += len(content)
        if length is not None and (answer.status_code != _PART or len(content) != length) and len(content) > length:
            raise LoadError(f"the hub of {self.name!r} serves files whole, and no parts of them; load fetches them")
        return content

    def __str__(self) -> str:
        return f"read on the hub: {size(self.fetched)} of headers and configurations; load fetches the weights"


@contextmanager
def outlined(source: Source, *, token: str | None, **where: Any) -> Iterator[Outline]:
    """The outline of a hub id; its folder is deleted when the block ends.

    Args:
        source: The hub id.
        token: For private and gated repositories.
        **where: The revision, and the cache_dir that does not hold it.

    Raises:
        LoadError: The hub cannot be reached, or refuses; the message says what to do.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield _outline(source.place, Path(folder), where.get("revision"), token)
    except LoadError:
        raise
    except Exception as error:  # noqa: BLE001  (each is explained)
        failure = explained(error, source, where)
        raise failure from failure.__cause__


def _outline(name: str, folder: Path, revision: str | None, token: str | None) -> Outline:
    told = HfApi().model_info(name, revision=revision, files_metadata=True, token=token, timeout=_WAIT)
    sizes = {file.rfilename: file.size or 0 for file in told.siblings or ()}
    for file in sizes:
        if climbs_out(file):
            raise LoadError(f"{name!r} names a file that climbs out of its folder: {file[:80]!r}")
        if file.count("/") <= 1:
            path = folder / file
            path.parent.mkdir(exist_ok=True)
            path.touch()
    found = Outline(name, folder, told.sha or revision or "main", token, sizes)
    found.fill()
    return found
