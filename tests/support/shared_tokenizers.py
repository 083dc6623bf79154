"""Tokenizers that tests share: CLIP's vocabulary takes ten times as long to read as the rest of a tiny pipeline.

The first reading of a folder is transformers' own. Later readings of a folder with the same bytes get the same object,
as long as no test has changed it.
"""

import functools
import hashlib
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

import sdexplore

_READ = PreTrainedTokenizerBase.from_pretrained.__func__  # type: ignore[attr-defined]  # of a class method
_PACKAGE = Path(sdexplore.__file__).parent
_SHARED: dict[tuple[Any, ...], tuple[PreTrainedTokenizerBase, Any]] = {}


def _key(kind: type, folder: Path, options: dict[str, Any]) -> tuple[Any, ...]:
    """What the reading depends on: the class, its arguments, the bytes of the folder."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return (
        kind,
        tuple(sorted((name, repr(value)) for name, value in options.items())),
        tuple((path.name, (_digest_once if path.is_relative_to(_PACKAGE) else _digest)(path)) for path in files),
    )


def _digest(path: Path) -> bytes:
    return hashlib.sha1(path.read_bytes(), usedforsecurity=False).digest()


_digest_once = functools.cache(_digest)  # no test changes the files of the package


def _state(made: PreTrainedTokenizerBase) -> Any:
    sides = (made.padding_side, made.truncation_side)
    return len(made), made.model_max_length, sides, dict(made.special_tokens_map), repr(made)


def _shared(kind: type, path: Any, *more: Any, **options: Any) -> PreTrainedTokenizerBase:
    folder = Path(path) / (options.get("subfolder") or "")
    if more or not folder.is_dir() or not kind.__name__.startswith("CLIP"):  # the others are small
        return _READ(kind, path, *more, **options)
    key = _key(kind, folder, options)
    if key not in _SHARED:
        made = _READ(kind, path, **options)
        _SHARED[key] = (made, _state(made))
    return _SHARED[key][0]


def install() -> None:
    """Takes effect at once, for CLIP's tokenizers."""
    PreTrainedTokenizerBase.from_pretrained = classmethod(_shared)


def check_shared() -> None:
    """Fails if a shared tokenizer has changed; the next test reads a new one."""
    changed = [key for key, (made, before) in _SHARED.items() if _state(made) != before]
    for key in changed:
        del _SHARED[key]
    assert not changed, f"this test changed a tokenizer that all tests share: {changed}; it needs `own_tokenizer`"


def own_tokenizer(kind: type, path: Any, **options: Any) -> PreTrainedTokenizerBase:
    """A tokenizer that the test may change."""
    return _READ(kind, path, **options)
