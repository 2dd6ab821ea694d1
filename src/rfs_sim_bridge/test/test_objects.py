"""The objects as data: sizes, models of one structure, surfaces."""

import mujoco
import numpy as np
import pytest
from rfs_sim_bridge.cloud import surface_points
from rfs_sim_bridge.mujoco_engine import _structure
from rfs_sim_bridge.objects import catalog, find_object, object_names, parse_object

from rfs_sim_bridge import scene


def test_there_are_enough_objects_of_each_kind():
    assert len(object_names("train")) >= 6
    assert len(object_names("heldout")) >= 7
    assert object_names("train", "power")
    assert object_names("train", "pinch")
    assert sum(catalog()[n].softness > 0 for n in object_names("heldout")) >= 2
    assert sum(len(catalog()[n].primitives) > 2 for n in object_names("heldout")) >= 2


@pytest.mark.parametrize("name", object_names())
def test_model_has_the_common_structure_and_the_given_mass(name):
    model = scene.compiled_scene(name, 0.0025)
    assert _structure(model) == _structure(scene.compiled_scene("cylinder", 0.0025))
    assert model.body("object").mass[0] == pytest.approx(find_object(name).mass, rel=0.01)


@pytest.mark.parametrize("name", object_names())
def test_object_stands_on_the_table(name):
    """The lowest point in the rest orientation touches the table: neither sunk in nor floating."""
    spec = find_object(name)
    model = scene.compiled_scene(name, 0.0025)
    for height, touches in ((spec.rest_height - 0.0005, True), (spec.rest_height + 0.0005, False)):
        data = mujoco.MjData(model)
        data.qpos[23:26] = [0.55, 0, height]
        data.qpos[26:30] = np.roll(spec.rest_quaternion, 1)
        mujoco.mj_forward(model, data)
        table, body = model.geom("table_top").id, model.body("object").id
        pairs = [(c.geom1, c.geom2) for c in data.contact]
        found = any(table in p and body in (model.geom_bodyid[p[0]], model.geom_bodyid[p[1]]) for p in pairs)
        assert found == touches


@pytest.mark.parametrize("name", object_names())
def test_surface_points_lie_within_the_object(name):
    spec, points = find_object(name), surface_points(name)
    for direction in np.eye(3):
        assert (points @ direction).max() <= spec.extent(direction) + 1e-9
        assert (points @ direction).max() >= 0.7 * spec.extent(direction)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"primitives": []}, "1 to 6 primitives"),
        ({"primitives": [{"shape": "torus", "size": [1]}]}, "unknown shape 'torus'"),
        ({"primitives": [{"shape": "box", "size": [1, 1]}]}, "takes 3 positive sizes"),
        ({"grasp": "hug"}, "'power' or 'pinch', not 'hug'"),
        ({"split": "test"}, "'train' or 'heldout', not 'test'"),
    ],
)
def test_bad_entries_are_named(change, message):
    entry = {
        "split": "train",
        "grasp": "power",
        "mass": 0.1,
        "friction": 0.9,
        "color": [1, 1, 1],
        "primitives": [{"shape": "sphere", "size": [0.03]}],
    }
    with pytest.raises(ValueError, match=message):
        parse_object("thing", entry | change)
