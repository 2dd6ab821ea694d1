"""What the buttons mean, from the packaged YAML of the devices."""

import pytest
from rfs_teleop.devices.buttons import STATES, Binding, ButtonReader
from rfs_teleop.devices.config import DEVICES, ConfigError, DeviceConfig


def held(*buttons: str) -> frozenset[str]:
    return frozenset(buttons)


class Fingers:
    """Presses buttons of a device at times."""

    def __init__(self, device: str = "spacemouse") -> None:
        config = DeviceConfig.load(device)
        self.reader = ButtonReader(config.bindings, config.hold_seconds)

    def do(self, state: str, *changes: tuple, until: float = 0.0) -> list[str]:
        return self.reader.read(changes, max(until, changes[-1][0] if changes else 0.0), state)


@pytest.mark.parametrize(
    ("state", "command"),
    [("waiting", ["start"]), ("running", ["success"]), ("paused", ["resume"]), ("finished", []), ("", [])],
)
def test_the_same_tap_means_what_the_session_needs(state, command):
    assert Fingers().do(state, (1.0, held("LEFT")), (1.1, held())) == command


def test_a_hold_is_no_tap_and_comes_before_the_button_is_let_go():
    fingers = Fingers()
    assert fingers.do("running", (1.0, held("LEFT")), until=1.5) == []
    assert fingers.do("running", until=1.7) == ["pause"]
    assert fingers.do("paused", (3.0, held()), until=3.0) == []
    late = Fingers()  # nobody looked in between
    assert late.do("running", (1.0, held("LEFT")), (2.0, held())) == ["pause"]


@pytest.mark.parametrize("state", [*STATES, ""])
def test_both_buttons_stop_at_once_and_do_nothing_else(state):
    fingers = Fingers()
    assert fingers.do(state, (1.0, held("LEFT")), (1.2, held("LEFT", "RIGHT"))) == ["stop"]
    assert fingers.reader.stops()
    assert fingers.do(state, (1.9, held("RIGHT")), (2.0, held()), until=2.0) == []
    assert not fingers.reader.stops()


def test_a_stop_is_released_by_a_hold_alone():
    fingers = Fingers()
    assert fingers.do("stopped", (1.0, held("LEFT")), (1.1, held())) == []
    assert fingers.do("stopped", (2.0, held("LEFT")), until=2.7) == ["release"]


def test_unplugging_gives_no_command():
    fingers = Fingers()
    assert fingers.do("running", (1.0, held("LEFT")), (1.1, None)) == []
    assert fingers.do("running", (9.0, held()), until=9.0) == []


def test_what_is_down_when_the_device_comes_back_gives_no_command():
    fingers = Fingers()
    back = [(1.0, held("LEFT")), (1.1, None), (9.0, held("LEFT"))]
    assert fingers.do("running", *back, (9.1, held())) == []
    assert fingers.do("running", (9.2, held("LEFT")), (9.3, held())) == ["success"]
    assert fingers.do("running", *[(10 + at, down) for at, down in back], until=20.0) == []  # nor as a hold
    assert fingers.do("running", (20.1, held("LEFT", "RIGHT"))) == ["stop"]


def test_a_first_tap_after_the_device_came_back_counts():
    back = [(1.1, None), (9.0, held())]
    assert Fingers().do("running", *back, (9.2, held("LEFT")), (9.3, held())) == ["success"]


def test_taps_between_two_looks_all_count():
    changes = [(1.0, held("RIGHT")), (1.1, held()), (1.2, held("LEFT")), (1.3, held())]
    assert Fingers().do("running", *changes) == ["failure", "success"]


def test_a_keyboards_press_counts_once():
    fingers = Fingers("keyboard")
    assert fingers.do("waiting", (1.0, held("enter")), until=1.4) == ["start"]
    assert fingers.do("running", until=1.5) == []
    assert fingers.do("running", (1.6, held()), (1.7, held("enter"))) == ["success"]


@pytest.mark.parametrize("device", DEVICES)
def test_each_packaged_device_can_stop_or_needs_not_and_start(device):
    commands = {binding.command for binding in DeviceConfig.load(device).bindings}
    assert {"start", "success", "failure"} <= commands
    assert ("stop" in commands) == (device != "scripted")
    assert "release" in commands or device == "scripted"


WRONG = {
    "mine.yaml must be a number from 0 to 0.9": "dead_band: 2",
    "must be one of palm_x, palm_y, palm_z, fingers": "residual: {wrist: {axis: x, gain: 1.0}}",
    "axis of palm_x": "residual: {palm_x: {axis: w, gain: 1.0}}",
    "gain of palm_x": "residual: {palm_x: {axis: x, gain: .nan}}",
    "nothing could be corrected": "residual: {}",
    "command of entry 1": "buttons: [{tap: LEFT, command: explode}]",
    "when of entry 1": "buttons: [{tap: LEFT, when: sometimes, command: start}]",
    "only press takes several": "buttons: [{tap: [LEFT, RIGHT], command: start}]",
    "must have one of press, tap, hold": "buttons: [{push: LEFT, command: start}]",
    "has unknown colour": "colour: red",
    "is not YAML": "dead_band: [",
}


@pytest.mark.parametrize("problem", WRONG)
def test_a_wrong_entry_is_named_with_its_file(tmp_path, problem):
    lines = {
        "dead_band": "dead_band: 0.1",
        "residual": "residual: {palm_x: {axis: x, gain: 1.0}}",
        "hold_seconds": "hold_seconds: 0.6",
        "buttons": "buttons: []",
        "settings": "settings: {}",
    }
    lines[WRONG[problem].split(":")[0]] = WRONG[problem]
    file = tmp_path / "mine.yaml"
    file.write_text("\n".join(lines.values()))
    with pytest.raises(ConfigError, match=problem) as error:
        DeviceConfig.load("spacemouse", file)
    assert "mine.yaml" in str(error.value)


def test_unknown_devices_and_files(tmp_path):
    with pytest.raises(ConfigError, match="devices: spacemouse, keyboard, gamepad, scripted"):
        DeviceConfig.load("mouse")
    with pytest.raises(FileNotFoundError, match=r"copy .*keyboard.yaml"):
        DeviceConfig.load("keyboard", tmp_path / "none.yaml")


def test_a_chord_wins_over_its_members():
    single, both = Binding("press", held("A"), "start"), Binding("press", held("A", "B"), "stop")
    reader = ButtonReader([single, both], 0.5)
    assert reader.read([(1.0, held("A", "B"))], 1.0, "") == ["stop"]
