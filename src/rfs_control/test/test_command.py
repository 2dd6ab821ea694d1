import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from rfs_control.command import Command, compose
from rfs_control.limits import Limit, Limits

from rfs_description import robot, rotations

LIMITS = Limits.load(period=0.1)
HOME = Command.from_joints(np.concatenate([robot.ARM_HOME, robot.HAND_HOME])[None])


def action(**parts: object) -> np.ndarray:
    full = np.concatenate([np.zeros(6), robot.HAND_HOME])[None]
    columns_of = {"translation": slice(0, 3), "rotation": slice(3, 6), "fingers": slice(6, 22)}
    for name, columns in columns_of.items():
        if name in parts:
            full[0, columns] = parts[name]
    return full


def command(seed: int, robots: int) -> Command:
    rng = np.random.default_rng(seed)
    return Command(
        rng.uniform(LIMITS.workspace_lower, LIMITS.workspace_upper, (robots, 3)),
        rotations.from_vector(rng.uniform(-1.5, 1.5, (robots, 3))),
        rng.uniform(LIMITS.finger_lower, LIMITS.finger_upper, (robots, 16)),
    )


actions = npst.arrays(np.float64, (3, 22), elements=st.floats(-3.0, 3.0))
seeds = st.integers(0, 2**32 - 1)


@given(seeds, actions)
def test_executed_action_is_within_every_bound(seed: int, wanted: np.ndarray) -> None:
    start = command(seed, 3)
    reached, executed, _ = compose(start, wanted, LIMITS)
    slack = 1 + 2e-6
    assert np.all(np.linalg.norm(executed[:, :3], axis=1) <= LIMITS.translation_step * slack)
    assert np.all(np.linalg.norm(executed[:, 3:6], axis=1) <= LIMITS.rotation_step * slack)
    assert np.all(np.abs(executed[:, 6:] - start.fingers) <= LIMITS.finger_step + 2e-6)
    assert np.all((reached.position >= LIMITS.workspace_lower) & (reached.position <= LIMITS.workspace_upper))
    assert np.all(reached.fingers >= LIMITS.finger_lower - 1e-12)
    assert np.all(reached.fingers <= LIMITS.finger_upper + 1e-12)


@given(seeds, actions)
def test_executed_action_executes_again_without_a_flag(seed: int, wanted: np.ndarray) -> None:
    """Also after the rounding to float32 that messages do."""
    start = command(seed, 3)
    reached, executed, _ = compose(start, wanted, LIMITS)
    again, same, flags = compose(start, executed.astype(np.float32), LIMITS)
    np.testing.assert_array_equal(flags, 0)
    np.testing.assert_allclose(same, executed, atol=1e-6)
    np.testing.assert_allclose(again.position, reached.position, atol=1e-6)
    np.testing.assert_allclose(again.rotation, reached.rotation, atol=1e-6)
    np.testing.assert_allclose(again.fingers, reached.fingers, atol=1e-6)


@given(seeds, actions)
def test_robots_do_not_influence_each_other(seed: int, wanted: np.ndarray) -> None:
    start = command(seed, 3)
    reached, executed, flags = compose(start, wanted, LIMITS)
    one = Command(start.position[1:2], start.rotation[1:2], start.fingers[1:2])
    alone, alone_executed, alone_flags = compose(one, wanted[1:2], LIMITS)
    np.testing.assert_array_equal(alone.position[0], reached.position[1])
    np.testing.assert_array_equal(alone_executed[0], executed[1])
    assert alone_flags[0] == flags[1]


@pytest.mark.parametrize(
    ("wanted", "flag"),
    [
        (action(translation=[0.03, 0.0, 0.0]), Limit.NONE),
        (action(translation=[0.0, 0.061, 0.0]), Limit.TRANSLATION),
        (action(rotation=[0.0, 0.0, 0.2]), Limit.NONE),
        (action(rotation=[0.15, 0.15, 0.0]), Limit.ROTATION),
        (action(fingers=0.79), Limit.NONE),
        (action(fingers=[0.81] + [0.0] * 15), Limit.FINGER_SPEED),
        (action(fingers=-0.35), Limit.FINGER_RANGE),
        (action(translation=[0.1, 0.0, 0.0], fingers=2.3), Limit(1 | 8 | 16)),
    ],
)
def test_flags_name_exactly_the_limits_that_acted(wanted: np.ndarray, flag: Limit) -> None:
    _, _, flags = compose(HOME, wanted, LIMITS)
    assert Limit(int(flags[0])) == flag


def test_workspace_stops_the_palm_at_its_face() -> None:
    at_face = Command(np.array([[0.5, 0.49, 0.3]]), HOME.rotation, HOME.fingers)
    reached, executed, flags = compose(at_face, action(translation=[0.0, 0.05, 0.02]), LIMITS)
    np.testing.assert_allclose(reached.position, [[0.5, 0.5, 0.32]])
    np.testing.assert_allclose(executed[0, :3], [0.0, 0.01, 0.02])
    assert flags[0] == Limit.WORKSPACE


def test_a_palm_outside_the_workspace_may_return_but_not_leave_further() -> None:
    outside = Command(np.array([[0.5, 0.7, 0.3]]), HOME.rotation, HOME.fingers)
    back, _, flags = compose(outside, action(translation=[0.0, -0.05, 0.0]), LIMITS)
    np.testing.assert_allclose(back.position, [[0.5, 0.65, 0.3]])
    assert flags[0] == Limit.NONE
    away, _, flags = compose(outside, action(translation=[0.0, 0.05, 0.0]), LIMITS)
    np.testing.assert_array_equal(away.position, outside.position)
    assert flags[0] == Limit.WORKSPACE


def test_zero_delta_keeps_the_pose() -> None:
    reached, executed, flags = compose(HOME, action(), LIMITS)
    np.testing.assert_array_equal(reached.position, HOME.position)
    np.testing.assert_allclose(reached.rotation, HOME.rotation, atol=1e-15)
    np.testing.assert_array_equal(executed, action())
    assert flags[0] == Limit.NONE


def test_rotations_stay_orthonormal_over_thousands_of_steps() -> None:
    rng = np.random.default_rng(0)
    state = command(0, 8)
    for _ in range(5000):
        turn = np.concatenate([np.zeros((8, 3)), rng.normal(0, 0.1, (8, 3)), state.fingers], axis=1)
        state, _, _ = compose(state, turn, LIMITS)
    products = state.rotation.swapaxes(1, 2) @ state.rotation
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(3), (8, 3, 3)), atol=1e-12)


def test_rotation_is_applied_in_the_base_frame() -> None:
    tilted = Command(HOME.position, rotations.from_vector(np.array([[0.0, 1.0, 0.0]])), HOME.fingers)
    reached, _, _ = compose(tilted, action(rotation=[0.0, 0.0, 0.1]), LIMITS)
    expected = rotations.from_vector(np.array([[0.0, 0.0, 0.1]])) @ tilted.rotation
    np.testing.assert_allclose(reached.rotation, expected, atol=1e-12)


@pytest.mark.parametrize(("column", "name"), [(0, "palm_translation_x"), (21, "leap_th_ipl")])
def test_numbers_that_are_not_finite_are_named(column: int, name: str) -> None:
    wanted = action()
    wanted[0, column] = np.nan
    with pytest.raises(ValueError, match=name):
        compose(HOME, wanted, LIMITS)


def test_an_action_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="delta_pose_22"):
        compose(HOME, np.zeros((1, 23)), LIMITS)
