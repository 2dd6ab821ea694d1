"""SpaceMouse: decoded by `pyspacemouse`, read by a thread of its own that takes every report at once."""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rfs_teleop.devices import config, spacemouse_access
from rfs_teleop.devices.device import AXES, Axes, DeviceError, ThreadedDevice

_READ_TIMEOUT = 20  # ms; how long a silent cap is listened to before other things are looked after


@dataclass(frozen=True)
class SpaceMouseSettings:
    """Entries below `settings` in `spacemouse.yaml`."""

    aliases: dict[str, str]
    release_seconds: float
    implausible: float

    @classmethod
    def checked(cls, entries: dict[str, Any], source: str) -> "SpaceMouseSettings":
        """ConfigError names the entry that is wrong."""
        what = f"settings in {source}"
        found = config.keys(entries, {"aliases", "release_seconds", "implausible"}, what)
        aliases = config.mapping(found["aliases"], f"aliases of {what}")
        return cls(
            {str(name): str(alias) for name, alias in aliases.items()},
            config.number(found["release_seconds"], 0.05, 10.0, f"release_seconds of {what}"),
            config.number(found["implausible"], 1.0, 100.0, f"implausible of {what}"),
        )


class TimedHid:
    """A HID object whose `read` waits a little, as the reading thread wants it; the rest is passed on."""

    def __init__(self, hid: Any) -> None:
        self._hid = hid

    def read(self, size: int) -> bytes:
        """One report, or nothing within the time."""
        return self._hid.read(size, timeout=_READ_TIMEOUT)

    def write(self, data: bytes) -> int:
        """An output report."""
        return self._hid.write(data)

    def close(self) -> None:
        """Close the device."""
        self._hid.close()


def connected() -> list[Any]:
    """Every HID device, as easyhid describes it.

    Raises:
        OSError: libhidapi is not installed; a running process does not find it later either.
    """
    try:
        import easyhid

        return easyhid.Enumeration().find()
    except (AttributeError, OSError) as error:  # easyhid finds no function without the library
        raise OSError(f"spacemouse: {spacemouse_access.NO_LIBRARY}") from error


def find_spacemouse(devices: Iterable[Any]) -> Any:
    """The first SpaceMouse among HID devices, opened: a `pyspacemouse.SpaceMouseDevice` with ROS' axes.

    Raises:
        DeviceError: there is none, or it must not be opened, and what to do.
    """
    from pyspacemouse import AxisConvention, SpaceMouseDevice, apply_axis_convention, get_device_specs

    models = {spec.hid_id: spec for spec in get_device_specs().values()}
    found = [hid for hid in devices if (hid.vendor_id, hid.product_id) in models]
    if not found:
        raise DeviceError(spacemouse_access.NO_DEVICE)
    # A receiver shows several interfaces; the cap is the multi-axis controller of the generic desktop page.
    hid = next((hid for hid in found if (hid.usage_page, hid.usage) == (1, 8)), found[0])
    _open(hid)
    spec = apply_axis_convention(models[hid.vendor_id, hid.product_id], AxisConvention.ROS)
    return SpaceMouseDevice(spec, TimedHid(hid))


def _open(hid: Any) -> None:
    from easyhid import HIDException

    try:
        hid.open()
    except HIDException as error:
        if os.access(hid.path, os.R_OK | os.W_OK):
            raise DeviceError(spacemouse_access.not_opened(hid.path)) from error
        problem = spacemouse_access.no_permission(hid.path, hid.vendor_id, hid.product_id)
        raise DeviceError(problem) from error


class SpaceMouse(ThreadedDevice):
    """Follows the first SpaceMouse that `find` gives, and looks for it again when it was unplugged."""

    name = "spacemouse"

    def __init__(
        self,
        loaded: config.DeviceConfig,
        on_change: Callable[[], None],
        find: Callable[[], Any] | None = None,
    ) -> None:
        self._settings = SpaceMouseSettings.checked(loaded.settings, loaded.source)
        if find is None:
            connected()  # without the library no waiting helps
        self._find = find or (lambda: find_spacemouse(connected()))
        self._light = self._light_shown = False
        super().__init__(loaded.dead_band, on_change)

    def set_light(self, on: bool) -> None:
        self._light = on

    def _follow(self) -> None:
        from easyhid import HIDException

        mouse = self._find()
        try:
            self._read(mouse)
        except (HIDException, OSError) as error:
            raise DeviceError(f"the {mouse.name} was unplugged: connect it again") from error
        finally:
            mouse.set_led(False)
            mouse.close()

    def _read(self, mouse: Any) -> None:
        axes, seen, reported = np.zeros(len(AXES)), -1.0, time.monotonic()
        self._light_shown = False
        while not self._ended.is_set():
            self._show_light(mouse)
            try:
                state = mouse.read()
            except IndexError:  # a report that is too short for its kind
                continue
            now = time.monotonic()
            if state.t != seen:
                seen, reported = state.t, now
                axes = self._plausible(state, axes)
            elif now - reported > self._settings.release_seconds:
                axes = np.zeros(len(AXES))
            for name, value in zip(AXES, axes.tolist(), strict=True):
                setattr(state, name, value)  # the decoder keeps what it is not told anew
            self._put(axes, self._pressed(mouse, state.buttons))

    def _plausible(self, state: Any, before: Axes) -> Axes:
        """The axes (6,) of a state, or those before it where a garbled report says what no cap can."""
        axes = np.array([getattr(state, name) for name in AXES])
        return axes if np.abs(axes).max() < self._settings.implausible else before

    def _pressed(self, mouse: Any, buttons: list[int]) -> frozenset[str]:
        names = [str(mouse.get_button_name(index)) for index, down in enumerate(buttons) if down]
        return frozenset([self._settings.aliases.get(name, name) for name in names])

    def _show_light(self, mouse: Any) -> None:
        if self._light != self._light_shown:
            self._light_shown = self._light
            mouse.set_led(self._light)
