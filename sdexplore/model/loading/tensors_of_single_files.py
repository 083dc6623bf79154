"""Whether a single file holds the tensors that its networks need, neither fewer nor more."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint

from ...base.error_lines import named_line
from ...base.errors import LoadError
from ...base.user_warnings import warn_user
from .checkpoint_families import CLIP, CLIP_XL, UNET, VAE, Family
from .networks_from_configs import network_of
from .safetensors_headers import Header

_FEW = 3  # names that a message shows


def check_tensors(
    name: str,
    config: Mapping[str, Any],
    header: Header,
    family: Family,
    source: str,
    tell: Callable[[str], object] = warn_user,
) -> None:
    """Compares the numbers that the file holds for a network with those that the network needs. No tensor is read.

    A warning names tensors of a text encoder that are left over: fine-tunes carry CLIP's projection along.

    Args:
        name: The component, as the pipeline calls it.
        config: The network's configuration.
        source: What the user calls the file.
        tell: Takes what is said of tensors that are left over.

    Raises:
        LoadError: The file holds fewer or more numbers than the network needs.
    """
    prefix = {"unet": UNET, "vae": VAE, **family.text_encoders}[name]
    try:
        network = network_of(config)
    except Exception as error:
        raise LoadError(
            f"{source!r} is damaged, or a variant unknown: no {name} of a {family.name} has tensors of these shapes "
            f"({named_line(error)})"
        ) from error
    mine = {
        key.removeprefix(prefix): tensor.numbers
        for key, tensor in header.tensors.items()
        if key.startswith(prefix) and "float" in tensor.dtype and not key.endswith("position_ids")
    }
    open_clip = ".model." in prefix  # its layout holds numbers that no network takes: a temperature, SD 2's last layer
    if prefix in (CLIP, CLIP_XL):
        taken = {key.removeprefix("text_model.") for key, _ in network.named_parameters()}
        unread = [key for key in mine if key.removeprefix("text_model.") not in taken]
        if unread:
            tell(f"{source!r}: its {name} has no place for {_some(unread)}; left unread")
        mine = {key: numbers for key, numbers in mine.items() if key not in unread}
    there = sum(mine.values())
    needed = sum(parameter.numel() for parameter in network.parameters())
    if there < needed or (there > needed and not open_clip):
        known = f"a {family.name} of these shapes has {needed:,}"
        surplus = _without_place(name, header, config, network) if there > needed else []
        told = f"no place for {_some(surplus)}" if surplus else "damaged, or a variant unknown"
        raise LoadError(f"{name!r} in {source!r} has {there:,} numbers, and {known}: {told}")


def _without_place(name: str, header: Header, config: Mapping[str, Any], network: torch.nn.Module) -> list[str]:
    """Names of a UNet's or a VAE's tensors that diffusers does not use; empty where its conversion fails."""
    convert = {"unet": convert_ldm_unet_checkpoint, "vae": convert_ldm_vae_checkpoint}.get(name)
    prefix = {"unet": UNET, "vae": VAE}.get(name, "")
    given = {
        key: torch.empty(tensor.shape, device="meta")
        for key, tensor in header.tensors.items()
        if key.startswith(prefix) and "float" in tensor.dtype
    }
    if convert is None:
        return []
    try:
        made = convert(dict(given), config)
    except Exception:  # noqa: BLE001  (the message then names no tensors)
        return []
    own = network.state_dict().keys()
    placed = [tensor for key, tensor in made.items() if key in own]
    taken = {id(tensor if tensor._base is None else tensor._base) for tensor in placed}  # noqa: SLF001  (views of some)
    return [key for key, tensor in given.items() if id(tensor) not in taken]


def _some(names: list[str]) -> str:
    """The first few of some names, and how many more there are."""
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(map(repr, names[:_FEW])) + more
