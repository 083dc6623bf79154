"""Loading: diffusers' own pipeline from the embedded model, the hub, a folder or one file."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any, get_args

import diffusers
import torch
import transformers
from diffusers import DiffusionPipeline, SchedulerMixin
from torch import nn
from transformers import PreTrainedTokenizerBase

from ...base.errors import LoadError, did_you_mean
from ...base.user_warnings import warn_user
from ...records.fit import Fit
from ..compiled.denoiser import Backend, compile_denoiser
from ..components.devices import chosen_device
from ..components.vae_family import vae_of_another_family
from ..schedulers.names import meant, scheduler_from_name
from .fit_to_machine import apply, needs_of, plan, room_of
from .inspect_checkpoint import inspect
from .load_errors import explained
from .newer_transformers import components_of_newer
from .quantized_weights import check_folder_weights
from .single_files import load_single_file
from .sources import Source, cached_folder, check_folder, check_index, find, without_checker

DTYPES = ("float16", "bfloat16", "float32", "float64")
# Arguments with which diffusers places the weights itself.
PLACING = ("device_map", "max_memory", "offload_folder", "offload_state_dict")
CHATTY = (
    "transformers.utils.import_utils",
    "diffusers.pipelines.pipeline_utils",
    "diffusers.models.modeling_utils",
)
# What diffusers calls the number format; older versions overlook the new name.
_DTYPE = "torch_dtype" if tuple(map(int, diffusers.__version__.split(".")[:2])) < (0, 40) else "dtype"
REMOTE = ("trust_remote_code", "custom_pipeline", "custom_revision")


def load(
    source: str | os.PathLike[str] = "mini",
    *,
    device: str | int | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    scheduler: str | SchedulerMixin | None = None,
    compile: bool | Backend = False,  # noqa: A002  (the public contract's word)
    fit: bool = False,
    allow_pickle: bool = False,
    **kw: Any,
) -> DiffusionPipeline:
    """A diffusers pipeline, ready to run: all components in one dtype on one device.

    Args:
        source: "mini", the embedded model; a hub id, "stable-diffusion-v1-5/stable-diffusion-v1-5",
            downloaded once; a folder; or one .safetensors file in the original layout, of SD 1.x, SD 2.x or
            SDXL, for which configurations and tokenizer are here.
        device: Where it runs; by default cuda, else mps, else cpu.
        dtype: The dtype of every component, "float16" or torch.float16; by default float16 on an accelerator, float32
            on the CPU.
        scheduler: Takes the place of the pipeline's own: a name such as "DDIM", "Euler a" or "DPM++ 2M Karras",
            which gets its config, or a scheduler.
        compile: Whether `run` sends the denoiser through a compiled graph, as `compile_denoiser` says; or its backend.
            `pipe(...)` itself is not compiled.
        fit: Whether to make it fit this machine by its number format, slicing, tiling or offload. The choices and their
            costs are printed, and stand in `components(pipe).summary`.
        allow_pickle: Whether to read weights that exist as pickles only; a pickle can run code.
        **kw: Further arguments of `DiffusionPipeline.from_pretrained`: variant, revision, token, cache_dir, or
            components, as in safety_checker=None. With device_map the weights stay where it puts them. For a single
            file: components, prediction_type ("epsilon", "v_prediction") where
            its header leaves that open, extract_ema=True for the averaged copy that some files hold.

    Raises:
        LoadError: It cannot be loaded; the message says why, and what to do. Remote code is never run.
    """
    if not isinstance(compile, bool) and compile not in get_args(Backend):
        raise LoadError(f"no backend {compile!r} to compile with; {did_you_mean(str(compile), get_args(Backend))}")
    _refuse(kw, allow_pickle=allow_pickle)
    placed = [name for name in PLACING if kw.get(name) is not None]
    if placed and device is not None:
        raise LoadError(f"device={device!r} and {placed[0]}= both place the weights; give one")
    target = chosen_device(device)
    asked = kw.pop("torch_dtype", None) if dtype is None else dtype
    number = _dtype(asked, target)
    _check(scheduler)
    found = find(source, allow_pickle=allow_pickle)
    if found.moved_from:
        _tell_moved(found.moved_from, found.name)
    if left := without_checker(found, kw):
        kw |= left
        said = "has no folder 'safety_checker', which its model_index.json names: loaded without, no picture is checked"
        warn_user(f"{found.name!r} {said}")
    chosen = _fit(found, target, number if asked else None, {**kw, "allow_pickle": allow_pickle}) if fit else None
    number = number if chosen is None else getattr(torch, chosen.names[0])
    with _quiet(bars=found.name != "mini"):
        safe = None if allow_pickle else True
        pipe = _from_pretrained(found, {**kw, "dtype": number, "use_safetensors": safe})
    if isinstance(scheduler, str):
        scheduler = scheduler_from_name(pipe, scheduler)
    if scheduler is not None:
        pipe.scheduler = scheduler
    if not placed:
        _place(pipe, target, None if kw.get("quantization_config") else number, chosen)
    if (strange := vae_of_another_family(pipe)) is not None:
        warn_user(f"load: {strange}")
    if compile:
        compile_denoiser(pipe, "auto" if compile is True else compile)
    return pipe


def _check(scheduler: Any) -> None:
    if isinstance(scheduler, str):
        meant(scheduler)  # a misspelt name is refused before a download
    elif not isinstance(scheduler, (SchedulerMixin, type(None))):
        raise LoadError(f"a scheduler is a name such as 'DDIM' or an object, not {scheduler!r:.80}")


def _fit(found: Source, target: torch.device, asked: torch.dtype | None, kw: dict[str, Any]) -> Fit | None:
    """The choices that make a source fit; None where it cannot be inspected, for a reason that loading will tell."""
    if placing := [name for name in PLACING if kw.get(name) is not None]:
        raise LoadError(f"fit=True and {placing[0]}= both place the weights; give one")
    where = {name: kw[name] for name in ("cache_dir", "revision", "token") if kw.get(name)}
    try:  # before a download that may not fit
        checkpoint = inspect(found.file or found.folder or found.place, allow_pickle=kw["allow_pickle"], **where)
    except Exception:  # noqa: BLE001  (from_pretrained meets it again, and it is explained there)
        return None
    return plan(needs_of(checkpoint), room_of(target), asked)


def _place(pipe: DiffusionPipeline, device: torch.device, dtype: torch.dtype | None, chosen: Fit | None) -> None:
    """Moves the pipeline to its number format (None: the present one) and device, with the choices that make it fit."""
    if chosen is None:
        _move(pipe, device, dtype)
        return
    _move(pipe, torch.device("cpu"), dtype)
    if not apply(pipe, chosen, device):
        _move(pipe, device, None)
    print(chosen)  # noqa: T201  (fit=True asks to be told)


def _refuse(kw: dict[str, Any], *, allow_pickle: bool) -> None:
    """Removes from `kw` the arguments that run foreign code; LoadError where the user set one."""
    for name in REMOTE:
        if kw.pop(name, None):
            raise LoadError(f"{name}= would run code from the hub; remote code is never run")
    if kw.pop("use_safetensors", None) is False and not allow_pickle:
        raise LoadError("use_safetensors=False asks for pickles, which can run any code; allow_pickle=True insists")


def _dtype(asked: str | torch.dtype | None, device: torch.device) -> torch.dtype:
    if asked is None:
        return torch.float32 if device.type == "cpu" else torch.float16
    name = str(asked).removeprefix("torch.")
    if name not in DTYPES:
        raise LoadError(f"dtype {asked!r} is no format for weights; {did_you_mean(name, DTYPES)}")
    number: torch.dtype = getattr(torch, name)
    return number


@cache  # once per process
def _tell_moved(old: str, new: str) -> None:
    warn_user(f"{old} is gone from the hub; loading {new}, the same weights")


def _from_pretrained(source: Source, arguments: dict[str, Any]) -> DiffusionPipeline:
    check_folder(source, arguments)
    try:
        if source.file:
            pipe = load_single_file(source, arguments)
        else:
            here = source.folder or cached_folder(source, arguments)
            _check_weights(replace(source, folder=here), arguments)
            read = {} if here is None else components_of_newer(here, arguments["dtype"])
            apart = {name: part for name, part in read.items() if not isinstance(part, nn.Module)}
            given = {**read, **dict.fromkeys(apart), **arguments}
            given[_DTYPE] = given.pop("dtype")
            pipe = DiffusionPipeline.from_pretrained(source.place, **given)
            if here is None:
                _check_weights(replace(source, folder=cached_folder(source, arguments)), arguments)
            pipe.register_modules(**{name: part for name, part in apart.items() if name not in arguments})
    except LoadError:
        raise
    except Exception as error:  # noqa: BLE001  (each is explained)
        failure = explained(error, source, arguments)
        raise failure from failure.__cause__
    for name, part in pipe.components.items():
        if isinstance(part, PreTrainedTokenizerBase) and len(part) <= len(part.all_special_tokens):
            raise LoadError(f"{name!r} in {source.name!r} has no vocabulary; load or copy it again")
        lost = _without_content(part) if "device_map" not in arguments else []
        if lost:
            more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            raise LoadError(f"{name!r} in {source.name!r} has no weights for {lost[0]!r}{more}")
    if source.name == "mini":
        pipe.register_to_config(_name_or_path="mini")  # print(pipe) would show a local path
    return pipe


def _check_weights(source: Source, arguments: dict[str, Any]) -> None:
    """LoadError where a folder brings code, as diffusers 0.36 runs it from the cache, or quantized weights."""
    for part in check_index(source, arguments):
        check_folder_weights(source.name, part, arguments)


def _without_content(part: Any) -> list[str]:
    """Names of parameters that diffusers left without content, because the file does not hold them."""
    parameters = part.named_parameters() if isinstance(part, nn.Module) else ()
    return [name for name, parameter in parameters if parameter.is_meta]


def _move(pipe: DiffusionPipeline, device: torch.device, dtype: torch.dtype | None) -> None:
    """Moves every component to one dtype (None: their present ones), then to the device."""
    try:
        for part in pipe.components.values():
            if dtype and isinstance(part, nn.Module) and _differs(part, dtype):
                nn.Module.to(part, dtype)  # diffusers' own method always warns
        pipe.to(device, silence_dtype_warnings=True)
    except torch.OutOfMemoryError as error:
        raise LoadError(
            f"the pipeline does not fit on {device}; float16 takes half of float32, and after "
            "load(device='cpu') pipe.enable_model_cpu_offload() moves one component at a time"
        ) from error


def _differs(part: nn.Module, dtype: torch.dtype) -> bool:
    """Whether a component has another dtype: one that the user gave, or the checkpoint's own."""
    if getattr(part, "_keep_in_fp32_modules", None):
        return False  # a mixture on purpose
    return any(p.dtype != dtype for p in part.parameters() if p.is_floating_point())


@contextmanager
def _quiet(*, bars: bool) -> Iterator[None]:
    """Hides log lines on torchvision, which is not needed, and on the hub, which errors name; and progress bars."""
    loggers = [logging.getLogger(name) for name in CHATTY]
    flag = "_tqdm_active"  # the public switches would change huggingface_hub's bars too, and for ever
    libraries = () if bars else (diffusers.utils.logging, transformers.utils.logging)
    before = [(library, getattr(library, flag, None)) for library in libraries]
    for logger in loggers:
        logger.addFilter(_worth_saying)
    try:
        for library, _ in before:
            setattr(library, flag, False)
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(_worth_saying)
        for library, active in before:
            setattr(library, flag, active)


def _worth_saying(record: logging.LogRecord) -> bool:
    said = record.getMessage()
    empty = ("requires torchvision", "Couldn't connect to the Hub", "kept in float32: []")
    return not any(phrase in said for phrase in empty)
