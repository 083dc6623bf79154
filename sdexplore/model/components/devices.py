"""The device that a pipeline is loaded to."""

import torch

from ...base.error_lines import first_line
from ...base.errors import LoadError


def chosen_device(asked: str | int | torch.device | None) -> torch.device:
    """The device that the user names; without a name cuda, else mps, else the CPU.

    Raises:
        LoadError: There is no such device, or it cannot be used.
    """
    mps = torch.backends.mps.is_available()
    if asked is None:
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    there = [f"cuda:{n}" for n in range(torch.cuda.device_count())] + ["mps"] * mps + ["cpu"]
    try:
        device = torch.device(asked)
    except (RuntimeError, TypeError) as error:
        raise LoadError(f"no device is called {asked!r}; here is {', '.join(there)}") from error
    try:
        torch.empty(0, device=device)
    except Exception as error:
        reason = first_line(error).partition(". ")[0]
        raise LoadError(f"device {asked!r} cannot be used ({reason}); here is {', '.join(there)}") from error
    if device.type == "meta":
        raise LoadError("device 'meta' holds no weights, so nothing can run there")
    return device
