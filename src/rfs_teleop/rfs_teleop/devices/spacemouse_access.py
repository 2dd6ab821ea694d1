"""Sentences for a SpaceMouse that cannot be used. Standard library only: `./rfs doctor` says them as well."""

LIBRARY = "hidapi-hidraw"
RULES_FILE = "/etc/udev/rules.d/99-spacemouse.rules"

NO_LIBRARY = "the library hidapi is missing: sudo apt install libhidapi-hidraw0, and start again"
NO_DEVICE = "no SpaceMouse found: connect one (its cable, or its USB receiver); it is then used at once"


def udev_rule(vendor: int, product: int) -> str:
    """The line that lets everybody on this machine read and write this model, by cable or by Bluetooth."""
    return f'KERNEL=="hidraw*", KERNELS=="*:{vendor:04X}:{product:04X}.*", MODE="0666"'


def no_permission(path: str, vendor: int, product: int) -> str:
    """What to paste into a terminal."""
    return (
        f"a SpaceMouse is connected, but {path} may not be opened; paste this, then plug it in again: "
        f"echo '{udev_rule(vendor, product)}' | sudo tee -a {RULES_FILE} "
        "&& sudo udevadm control --reload-rules && sudo udevadm trigger --subsystem-match=hidraw"
    )


def not_opened(path: str) -> str:
    """The file may be opened, but the library could not."""
    return f"a SpaceMouse is connected, but {path} cannot be opened; plug it out and in again"
