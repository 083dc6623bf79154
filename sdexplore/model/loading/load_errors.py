"""Why a pipeline could not be loaded, in one error that says what to do."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import huggingface_hub
from huggingface_hub import errors as hub

from ...base.error_lines import first_line
from ...base.errors import LoadError
from .sources import EMBEDDED, PICKLE_RISK, Source, cached_folder, check_folder, check_vocabularies, damage

# Top-level packages of the HTTP clients that huggingface_hub has used.
CLIENTS = ("httpx", "httpx2", "requests", "urllib3")


def explained(error: Exception, source: Source, arguments: Mapping[str, Any]) -> LoadError:
    """An error that says what to do, made of any exception of diffusers or of the hub's client.

    It has `error` as its cause only where it cannot explain it.

    Args:
        error: The exception.
        source: What the user wanted to load.
        arguments: Those that `from_pretrained` was given.
    """
    chain, name = _chain(error), repr(source.name)
    if folder := source.folder or cached_folder(source, arguments):
        if broken := next(damage(folder), None):
            again = "copy it again" if source.folder else "force_download=True fetches it again"
            return LoadError(f"{name} is damaged: {broken}; {again}")
        try:
            check_folder(replace(source, folder=folder), arguments, whole=source.folder is not None)
            check_vocabularies(replace(source, folder=folder), arguments)
        except LoadError as known:
            return known
    page = f"https://huggingface.co/{source.name}"
    if message := _refusal(chain, name, page, arguments):
        return LoadError(message)
    silent = next(filter(_no_answer, chain), None)
    if source.folder is source.file is None and silent is not None:
        return LoadError(_how_to_get(source, arguments, first_line(silent)))
    if "Could not find the necessary `safetensors` weights" in str(error):
        return LoadError(f"{name} has pickled weights only. {PICKLE_RISK}")
    unknown = LoadError(f"{name} could not be loaded: {type(error).__name__}: {first_line(error)}")
    unknown.__cause__ = error
    return unknown


def _chain(error: BaseException | None) -> list[BaseException]:
    """The error, its cause, the cause of that, and so on."""
    links: list[BaseException] = []
    while error is not None and error not in links:
        links.append(error)
        error = error.__cause__ or error.__context__
    return links


def _refusal(chain: list[BaseException], name: str, page: str, arguments: Mapping[str, Any]) -> str | None:
    """What the hub refuses, and what would be right; None where it refused nothing."""
    refusals: dict[type[Exception], str] = {
        hub.GatedRepoError: f"{name} is gated: accept its terms at {page}, then give token=",
        hub.RepositoryNotFoundError: f"the hub has no {name}, or it is private and needs token=",
        hub.RevisionNotFoundError: f"{name} has no revision {arguments.get('revision')!r}",
    }
    for kind, message in refusals.items():
        if any(isinstance(link, kind) for link in chain):
            return message
    for link in chain:
        status = getattr(getattr(link, "response", None), "status_code", None)
        if status in (401, 403):
            return f"the hub refuses {name} ({status}): it needs the token= of an account that may read {page}"
    return None


def _no_answer(error: BaseException) -> bool:
    """Whether the hub did not answer, or the cache lacks a file."""
    client = type(error).__module__.partition(".")[0] in CLIENTS
    return client or isinstance(error, (hub.LocalEntryNotFoundError, ConnectionError, TimeoutError))


def _how_to_get(source: Source, arguments: Mapping[str, Any], reason: str) -> str:
    cache = arguments.get("cache_dir")
    if arguments.get("local_files_only"):
        why = "local_files_only=True forbids a download"
    elif huggingface_hub.constants.HF_HUB_OFFLINE:
        why = "HF_HUB_OFFLINE is set"
    else:
        why = f"the hub cannot be reached ({reason})"
    return (
        f"{source.name!r} is not wholly on this machine{f' in {str(cache)!r}' if cache else ''}, "
        f"and {why}. With a connection load({source.name!r}) fetches what it needs, once; "
        f"a folder copied from another machine loads too. {EMBEDDED}"
    )
