import pytest
from rfs_policy.cadence import Cadence
from rfs_policy.diagnostics import Level, Status, cadence_status, to_message


def test_a_loop_is_stale_before_its_first_tick_and_after_its_last() -> None:
    cadence = Cadence(0.1)
    assert cadence_status("loop", cadence.report(0.0), stale_after=1.0).level == Level.STALE
    for step in range(10):
        cadence.tick(step * 0.1)
    regular = cadence_status("loop", cadence.report(0.95), stale_after=1.0)
    assert (regular.level, regular.message) == (Level.OK, "10.0 Hz")
    assert cadence_status("loop", cadence.report(3.0), stale_after=1.0).level == Level.STALE


def test_a_miss_is_a_warning_with_its_count() -> None:
    cadence = Cadence(0.1)
    for now in (0.0, 0.1, 0.4, 0.5):
        cadence.tick(now)
    status = cadence_status("loop", cadence.report(0.5), stale_after=1.0)
    assert (status.level, status.message) == (Level.WARN, "1 missed")


@pytest.mark.ros
def test_message_carries_level_sentence_and_figures() -> None:
    time = pytest.importorskip("builtin_interfaces.msg").Time
    stamp = time(sec=3)
    message = to_message(stamp, [Status("arm", Level.ERROR, "lost", {"age": 0.25, "count": 2})])
    assert message.header.stamp == stamp
    (line,) = message.status
    assert (line.name, line.level, line.message) == ("arm", b"\x02", "lost")
    assert {pair.key: pair.value for pair in line.values} == {"age": "0.25", "count": "2"}
