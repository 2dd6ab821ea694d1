"""Isaac Lab's version: some of what is used of it is not public, so another one must be tried first."""

from importlib.metadata import PackageNotFoundError, version

ISAACLAB, NEWTON = "3.0.0", "1.6.1"


def require() -> None:
    """Raises ValueError where Isaac Lab or Newton are not the versions that this was made for."""
    for package, wanted in (("isaaclab", ISAACLAB), ("newton", NEWTON)):
        found = _installed(package)
        if found != wanted:
            raise ValueError(
                f"{package} {wanted} is needed, this Python has {found or 'none'}: run ./rfs setup isaaclab"
            )


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
