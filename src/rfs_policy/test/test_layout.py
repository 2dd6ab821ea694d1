"""Layouts survive JSON, and two that differ are told apart in words."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rfs_description.robot import HAND_JOINTS
from rfs_policy.layout import ARM_JOINTS_23, DELTA_POSE, LAYOUTS, Layout

from rfs_policy import layout as layout_module

NAMES = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=30).map(tuple)


@given(st.text(min_size=1), NAMES, NAMES, st.integers(1, 32), st.floats(1, 100), st.integers(1, 4096))
def test_json_round_trip(name, actions, states, horizon, rate, points):
    layout = Layout(name, actions, states, horizon, rate, points)
    assert Layout.from_json(layout.to_json()) == layout


def test_sizes():
    assert (DELTA_POSE.action_dim, ARM_JOINTS_23.action_dim, DELTA_POSE.state_dim) == (22, 23, 48)
    assert set(LAYOUTS) == {"delta_pose_22", "arm_joints_23"}


def test_state_slices_point_at_their_names():
    names = DELTA_POSE.state_names
    assert all(name.startswith("measured/") for name in names[layout_module.STATE_JOINTS])
    assert all("palm_position" in name for name in names[layout_module.STATE_PALM_POSITION])
    assert all("palm_rotation" in name for name in names[layout_module.STATE_PALM_ROTATION])
    fingers = tuple(f"command/{name}" for name in HAND_JOINTS)
    assert names[layout_module.STATE_COMMAND_FINGERS] == fingers


def test_same_layout_passes():
    DELTA_POSE.require_same(Layout.from_json(DELTA_POSE.to_json()))


def test_difference_is_named():
    with pytest.raises(ValueError, match="horizon: 2 against 4"):
        DELTA_POSE.require_same(replace(DELTA_POSE, horizon=4))
    with pytest.raises(ValueError, match="22 names against 23"):
        DELTA_POSE.require_same(ARM_JOINTS_23)


@pytest.mark.parametrize("text", ["", "{}", "[1]", "3", '{"name": "x", "action_names": 3}'])
def test_other_json_is_refused(text):
    with pytest.raises(ValueError, match="not a layout"):
        Layout.from_json(text)
