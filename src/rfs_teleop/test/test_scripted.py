"""The scripted operator: a careful person, and the same one for the same seed."""

from dataclasses import replace

import numpy as np
import pytest
from rfs_teleop.devices.config import ConfigError, DeviceConfig
from rfs_teleop.devices.scripted import Scene, ScriptedOperator

STEP = 100_000_000
DOWN = np.diag([1.0, -1.0, -1.0])
"""Palm that looks down, fingers forward."""
OBJECT = np.array([0.5, 0.0, 0.04])
SURE = {"hesitation": 0.0, "mistake": 0.0, "eye_noise": 0.0, "hand_noise": 0.0}


def operator(seed: int = 0, **settings: float) -> ScriptedOperator:
    loaded = DeviceConfig.load("scripted")
    loaded.settings.update(settings)
    return ScriptedOperator(loaded, seed)


def scene(tick: int, palm: tuple[float, float, float], fingers: float = 0.0, lift: float = 0.0) -> Scene:
    posture = np.array([1.0, 0.0, 1.0, 1.0] * 4) * fingers
    return Scene(tick * STEP, np.array(palm), DOWN, posture, OBJECT + np.array([0.0, 0.0, lift]))


def watch(person: ScriptedOperator, scenes: list[Scene]) -> np.ndarray:
    axes = []
    for seen in scenes:
        person.see(seen)
        axes.append(person.reading.axes)
    return np.array(axes)


def beside(dx: float, dy: float, ticks: int = 10, height: float = 0.08) -> list[Scene]:
    """The palm stays beside the right place for the object."""
    spot = DeviceConfig.load("scripted").settings["power_spot"]
    palm = (OBJECT[0] - spot[0] - dx, OBJECT[1] + spot[1] - dy, height)
    return [scene(tick, palm) for tick in range(ticks)]


@pytest.mark.parametrize(("dx", "dy"), [(0.03, 0.0), (-0.03, 0.0), (0.0, 0.03), (0.0, -0.03), (0.02, 0.02)])
def test_pushes_towards_the_object_after_a_moment(dx, dy):
    axes = watch(operator(**SURE), beside(dx, dy))
    assert not axes[:2].any()
    assert (axes[-1, :2] @ [dx, dy]) / np.hypot(dx, dy) / np.linalg.norm(axes[-1, :2]) > 0.99
    assert np.abs(axes).max() <= 1.0


def test_leaves_alone_what_is_good_or_not_yet_near():
    for scenes in (beside(0.003, 0.0), beside(0.03, 0.0, height=0.2)):
        assert not watch(operator(**SURE), scenes).any()


def test_holds_on_to_what_is_lifted_as_long_as_it_counts():
    rising = [scene(t, (0.45, 0.0, 0.08 + 0.01 * t), fingers=1.0, lift=0.01 * t) for t in range(20)]
    axes = watch(operator(**SURE), rising)
    assert axes[8:11, 2].max() < -0.5
    assert not axes[:, :2].any()
    assert not axes[-2:].any()


def test_reckons_with_pushes_that_it_cannot_see_yet_where_pushes_count():
    forgetful, mindful = (
        watch(operator(**SURE, follow_seconds=follow), beside(0.012, 0.0))[-1, 0] for follow in (0.0, 0.3)
    )
    assert 0.0 <= mindful < 0.5 * forgetful
    ignored = beside(0.012, 0.0, height=0.22)  # nothing that is pushed up there counts
    high = {**SURE, "watch_height": 0.25}
    axes = [watch(operator(**high, follow_seconds=follow), ignored) for follow in (0.0, 0.3)]
    assert axes[0].any()
    np.testing.assert_array_equal(*axes)


def test_goes_on_helping_when_the_object_was_knocked_over():
    person = operator(**SURE)
    watch(person, beside(0.0, 0.0, ticks=1))
    lying = [replace(seen, object=seen.object - [0.0, 0.0, 0.035]) for seen in beside(0.03, 0.0)[1:]]
    assert watch(person, lying)[:, 0].max() > 0.5
    assert presses(person) == []


def test_squeezes_when_the_fingers_close_around_the_object():
    spot = DeviceConfig.load("scripted").settings["power_spot"]
    palm = (OBJECT[0] - spot[0], OBJECT[1] + spot[1], 0.08)
    axes = watch(operator(**SURE), [scene(t, palm, fingers=0.1 * t) for t in range(10)])
    assert axes[-1, 2] < -0.5
    assert not axes[:4, 2].any()


def test_the_same_seed_gives_the_same_session_and_another_one_another():
    scenes = beside(0.03, 0.01, ticks=60)
    same = [watch(operator(seed=4), scenes) for _ in range(2)]
    np.testing.assert_array_equal(*same)
    assert (watch(operator(seed=5), scenes) != same[0]).any()


def test_a_scene_shown_again_changes_nothing():
    person = operator()
    once = watch(person, beside(0.03, 0.0))
    person.see(beside(0.03, 0.0)[-1])
    np.testing.assert_array_equal(person.reading.axes, once[-1])


def test_an_episode_does_not_depend_on_those_before_it():
    fresh = watch(operator(), beside(0.03, 0.0))
    person = operator()
    watch(person, [scene(t, (0.4, 0.1, 0.08)) for t in range(1000, 1020)])  # stamps go back: a new episode
    np.testing.assert_array_equal(watch(person, beside(0.03, 0.0)), fresh)


def test_errs_and_hesitates_like_a_person():
    axes = watch(operator(hesitation=0.1, mistake=0.1), beside(0.03, 0.0, ticks=300))[3:, 0]
    assert (axes < -0.3).any()  # the wrong way for a moment
    assert (axes == 0.0).any()  # lets go for a moment
    assert axes.mean() > 0.2  # but helps on the whole


def presses(person: ScriptedOperator) -> list[str]:
    return [next(iter(buttons)) for _, buttons in person.changes() if buttons]


def test_calls_success_once_and_failure_when_it_takes_too_long_or_falls_off():
    person = operator()
    watch(person, [scene(0, (0.5, 0, 0.1)), *(scene(t, (0.5, 0, 0.4), lift=0.25) for t in range(1, 30))])
    assert presses(person) == ["SUCCESS"]
    watch(person, [scene(t, (0.5, 0, 0.4)) for t in range(1000, 1125)])
    assert presses(person) == ["FAILURE"]
    watch(person, [scene(2000, (0.5, 0, 0.4)), scene(2001, (0.5, 0, 0.4), lift=-0.5)])
    assert presses(person) == ["FAILURE"]


def test_wrong_settings_are_named():
    for entry in ({"power_spot": [0.1]}, {"pinch_spot": "there"}, {"squeeze": None}):
        with pytest.raises(ConfigError, match=next(iter(entry))):
            operator(**entry)


def test_what_was_pressed_for_the_last_episode_does_not_mark_the_next_one():
    person = operator()
    watch(person, beside(0.0, 0.0))
    person.press("SUCCESS")
    person.forget()
    assert person.changes() == []
    person.press("SUCCESS")
    person.see(scene(1000, (0.5, 0.0, 0.3)))
    assert person.changes() == []
