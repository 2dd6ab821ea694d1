"""From MJCF to USD: runs the converter and writes what it loses on the way.

It loses gravity compensation (an attribute under a name that nobody reads), which shapes collide, and how
many points a convex hull may have.
"""
# USD's stubs say None for whatever its C++ returns.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false

import itertools
import subprocess
import tempfile
from pathlib import Path

import mujoco
from pxr import Gf, Sdf, Usd, UsdGeom, UsdPhysics, UsdShade
from rfs_policy.checkpoint import write_atomically

from rfs_isaaclab.mjcf_sources import ROBOT_NAME

TABLE_NAME = "table"
_LOST_GRAVCOMP = "mjc:body:gravcomp"


def convert(spec: mujoco.MjSpec, converter: Path, folder: Path) -> Path:
    """Write `folder`/NAME.usda of a specification.

    Raises:
        FileNotFoundError: the converter is not there.
        RuntimeError: it failed, with what it said.
    """
    model = spec.compile()
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / f"{spec.modelname}.xml"
        source.write_text(spec.to_xml())
        for name, content in spec.assets.items():
            source.with_name(name).write_bytes(content)
        _run(converter, source, Path(scratch) / "out")
        stage = Usd.Stage.Open(str(Path(scratch) / "out" / f"{spec.modelname}.usdc"))
        _write_gravity_compensation(stage, model)
        _keep_all_points(stage)
        if spec.modelname == ROBOT_NAME:
            _write_collision_filter(stage, model)
        return _save(stage, folder / f"{spec.modelname}.usda")


def _run(converter: Path, source: Path, out: Path) -> None:
    command = [str(converter), str(source), str(out), "--no-layer-structure", "--no-physics-scene"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).strip()
    if done.returncode != 0 or "[Warning]" in said:
        raise RuntimeError(f"mujoco_usd_converter did not convert {source.stem}: {said[-800:]}")


def _save(stage: Usd.Stage, file: Path) -> Path:
    text = stage.GetRootLayer().ExportToString()
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, text.encode())
    return file


def bodies(stage: Usd.Stage) -> dict[str, Usd.Prim]:
    """Rigid bodies by name."""
    prims = [prim for prim in stage.Traverse() if prim.HasAPI(UsdPhysics.RigidBodyAPI)]
    return {prim.GetName(): prim for prim in prims}


def _write_gravity_compensation(stage: Usd.Stage, model: mujoco.MjModel) -> None:
    for name, prim in bodies(stage).items():
        prim.RemoveProperty(_LOST_GRAVCOMP)
        share = float(model.body_gravcomp[model.body(name).id])
        prim.CreateAttribute("mjc:gravcomp", Sdf.ValueTypeNames.Float, custom=False).Set(share)


def _keep_all_points(stage: Usd.Stage) -> None:
    """Newton would make convex hulls of 64 points."""
    for prim in (prim for prim in stage.Traverse() if prim.IsA(UsdGeom.Mesh)):
        points = len(UsdGeom.Mesh(prim).GetPointsAttr().Get())
        prim.CreateAttribute("newton:maxHullVertices", Sdf.ValueTypeNames.Int, custom=False).Set(points)


def _write_collision_filter(stage: Usd.Stage, model: mujoco.MjModel) -> None:
    """MuJoCo's contact bits as pairs of bodies that pass through each other."""
    found = {name: prim for name, prim in bodies(stage).items() if _masks(model, name)}
    for (first, prim), (second, other) in itertools.combinations(found.items(), 2):
        if not _meet(_masks(model, first), _masks(model, second)):
            UsdPhysics.FilteredPairsAPI.Apply(prim)
            UsdPhysics.FilteredPairsAPI(prim).CreateFilteredPairsRel().AddTarget(other.GetPath())


def _masks(model: mujoco.MjModel, body: str) -> list[tuple[int, int]]:
    """(contype, conaffinity) of the body's colliding shapes."""
    geoms = [index for index in range(model.ngeom) if model.geom_bodyid[index] == model.body(body).id]
    pairs = [(int(model.geom_contype[i]), int(model.geom_conaffinity[i])) for i in geoms]
    return [pair for pair in pairs if any(pair)]


def _meet(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> bool:
    return any(a[0] & b[1] or b[0] & a[1] for a in first for b in second)


def write_table(folder: Path, friction: float) -> Path:
    """Write `folder`/table.usda: the plane of the table's top, as in the task's scene."""
    stage = Usd.Stage.CreateInMemory()
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    root = UsdGeom.Xform.Define(stage, f"/{TABLE_NAME}")
    stage.SetDefaultPrim(root.GetPrim())
    top = UsdGeom.Plane.Define(stage, f"/{TABLE_NAME}/top")
    top.CreateAxisAttr(UsdGeom.Tokens.z)
    top.AddTranslateOp().Set(Gf.Vec3d(0.0, 0.0, 0.0))
    UsdPhysics.CollisionAPI.Apply(top.GetPrim())
    top.GetPrim().CreateAttribute("newton:contactGap", Sdf.ValueTypeNames.Float).Set(0.0)
    _bind_friction(stage, top.GetPrim(), friction)
    return _save(stage, folder / f"{TABLE_NAME}.usda")


def _bind_friction(stage: Usd.Stage, prim: Usd.Prim, friction: float) -> None:
    material = UsdShade.Material.Define(stage, f"/{TABLE_NAME}/material")
    physics = UsdPhysics.MaterialAPI.Apply(material.GetPrim())
    physics.CreateStaticFrictionAttr(friction)
    physics.CreateDynamicFrictionAttr(friction)
    binding = UsdShade.MaterialBindingAPI.Apply(prim)
    binding.Bind(material, UsdShade.Tokens.weakerThanDescendants, "physics")
