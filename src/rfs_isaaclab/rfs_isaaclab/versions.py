"""What Isaac Lab runs on: its version and its device.

Its version is fixed: some of what is used of it is not public, so another one must be tried first.
"""

from importlib.metadata import PackageNotFoundError, version

import torch

ISAACLAB, NEWTON = "3.0.0", "1.6.1"


def require() -> None:
    """Raises ValueError where Isaac Lab or Newton are not the versions that this was made for."""
    for package, wanted in (("isaaclab", ISAACLAB), ("newton", NEWTON)):
        found = _installed(package)
        if found != wanted:
            raise ValueError(
                f"{package} {wanted} is needed, this Python has {found or 'none'}: run ./rfs setup isaaclab"
            )


def require_device(device: str) -> None:
    """Raises ValueError where a GPU is asked for and there is none."""
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(
            f"device {device} is asked for, and there is no NVIDIA GPU with a driver: use --device cpu"
        )


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
