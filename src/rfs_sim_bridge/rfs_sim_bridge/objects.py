"""The objects of the grasp task, as data: convex primitives, mass, friction, softness, how to grasp them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

import numpy as np
import yaml
from scipy.spatial.transform import Rotation

SHAPES = {"box": 3, "sphere": 1, "capsule": 2, "cylinder": 2, "ellipsoid": 3}
MAX_PRIMITIVES = 6  # every object fills this many geoms, so that all models have one structure


@dataclass(frozen=True)
class Primitive:
    """One convex shape in the object frame; size in MuJoCo's meaning (m), quaternion xyzw."""

    shape: str
    size: tuple[float, ...]
    position: tuple[float, float, float]
    quaternion: tuple[float, float, float, float]

    @property
    def volume(self) -> float:
        """m^3."""
        s = self.size
        if self.shape == "box":
            return 8 * s[0] * s[1] * s[2]
        if self.shape == "cylinder":
            return 2 * np.pi * s[0] ** 2 * s[1]
        if self.shape == "capsule":
            return np.pi * s[0] ** 2 * (2 * s[1] + 4 / 3 * s[0])
        axes = s if self.shape == "ellipsoid" else (s[0],) * 3
        return 4 / 3 * np.pi * axes[0] * axes[1] * axes[2]

    def reach(self, direction: np.ndarray) -> float:
        """Support function: the farthest extent (m) from the primitive's center along a unit direction
        (3,)."""
        d = Rotation.from_quat(self.quaternion).inv().apply(direction)
        s = self.size
        if self.shape == "box":
            return float(np.abs(d) @ s)
        if self.shape == "ellipsoid":
            return float(np.linalg.norm(d * s))
        if self.shape == "sphere":
            return s[0]
        along = s[1] * abs(d[2])
        return float(along + s[0] * (1.0 if self.shape == "capsule" else np.hypot(d[0], d[1])))


@dataclass(frozen=True)
class ObjectSpec:
    """One graspable object; lengths m, mass kg, rest_quaternion xyzw."""

    name: str
    split: str
    grasp: str
    mass: float
    friction: float
    softness: float
    rolling: float
    color: tuple[float, float, float]
    rest_quaternion: tuple[float, float, float, float]
    primitives: tuple[Primitive, ...]

    def extent(self, direction: np.ndarray) -> float:
        """Farthest extent (m) from the object's origin along a unit direction (3,) of the object frame."""
        return max(float(np.dot(p.position, direction)) + p.reach(direction) for p in self.primitives)

    @cached_property
    def rest_height(self) -> float:
        """Height (m) of the object's origin when it stands on the table in its rest orientation."""
        return self.extent(Rotation.from_quat(self.rest_quaternion).inv().apply([0.0, 0.0, -1.0]))

    @cached_property
    def top_height(self) -> float:
        """Height (m) of its highest point over the table in its rest orientation."""
        up = Rotation.from_quat(self.rest_quaternion).inv().apply([0.0, 0.0, 1.0])
        return self.rest_height + self.extent(up)


def _primitive(name: str, entry: Mapping) -> Primitive:
    shape, size = entry["shape"], tuple(float(s) for s in entry["size"])
    if shape not in SHAPES:
        raise ValueError(f"object '{name}': unknown shape '{shape}'; known shapes: {', '.join(SHAPES)}")
    if len(size) != SHAPES[shape] or min(size) <= 0:
        raise ValueError(f"object '{name}': a {shape} takes {SHAPES[shape]} positive sizes, not {list(size)}")
    quaternion = Rotation.from_euler("XYZ", entry.get("euler", (0, 0, 0))).as_quat()
    return Primitive(shape, size, tuple(entry.get("position", (0.0, 0.0, 0.0))), tuple(quaternion))


def parse_object(name: str, entry: Mapping) -> ObjectSpec:
    """An ObjectSpec from one entry of objects.yaml; ValueError says what is wrong with it."""
    primitives = tuple(_primitive(name, p) for p in entry["primitives"])
    if not 0 < len(primitives) <= MAX_PRIMITIVES:
        raise ValueError(f"object '{name}': needs 1 to {MAX_PRIMITIVES} primitives, not {len(primitives)}")
    if entry["grasp"] not in ("power", "pinch"):
        raise ValueError(f"object '{name}': grasp is 'power' or 'pinch', not '{entry['grasp']}'")
    if entry["split"] not in ("train", "heldout"):
        raise ValueError(f"object '{name}': split is 'train' or 'heldout', not '{entry['split']}'")
    rest = Rotation.from_euler("XYZ", entry.get("rest_euler", (0, 0, 0))).as_quat()
    return ObjectSpec(
        name=name,
        split=entry["split"],
        grasp=entry["grasp"],
        mass=float(entry["mass"]),
        friction=float(entry["friction"]),
        softness=float(entry.get("softness", 0.0)),
        rolling=float(entry.get("rolling", 0.0)),
        color=tuple(entry["color"]),
        rest_quaternion=tuple(rest),
        primitives=primitives,
    )


@cache
def catalog() -> dict[str, ObjectSpec]:
    """All known objects by name, in the order of config/objects.yaml."""
    text = files("rfs_sim_bridge").joinpath("config/objects.yaml").read_text()
    return {name: parse_object(name, entry) for name, entry in yaml.safe_load(text).items()}


def object_names(split: str | None = None, grasp: str | None = None) -> list[str]:
    """Names of the objects, of one split ('train', 'heldout') and one grasp ('power', 'pinch') if given."""
    chosen = catalog().values()
    return [o.name for o in chosen if split in (None, o.split) and grasp in (None, o.grasp)]


def find_object(name: str) -> ObjectSpec:
    """The object of that name; ValueError lists the known names."""
    if name not in catalog():
        raise ValueError(f"unknown object '{name}'; known objects: {', '.join(catalog())}")
    return catalog()[name]


def find_objects(names: Sequence[str] | None) -> list[ObjectSpec]:
    """The named objects; every training object when names is None or empty."""
    return [find_object(n) for n in (names or object_names("train"))]
