"""Contact sensors of the hand, which PhysX needs to tell what touches the object."""

from isaaclab.sensors import ContactSensorCfg
from rfs_sim_bridge.scene import OBJECT_BODY

from rfs_isaaclab.scene_cfg import GraspSceneCfg

_ARM = "/".join(f"fr3_link{index}" for index in range(8))
_PALM = f"Robot/Geometry/{_ARM}/leap_palm"
_FINGER = ("bs", "px", "md", "ds")
_FINGERS = {"if": _FINGER, "mf": _FINGER, "rf": _FINGER, "th": ("mp", "bs", "px", "ds")}


def touch_bodies() -> dict[str, str]:
    """Names of the sensors in the scene, one for each link of the hand, and the links' paths."""
    paths = [_PALM]
    for finger, links in _FINGERS.items():
        path = _PALM
        for link in links:
            path = f"{path}/leap_{finger}_{link}"
            paths.append(path)
    return {f"touch_{path.rsplit('/', 1)[-1]}": path for path in paths}


def add_touch_sensors(cfg: GraspSceneCfg, name: str) -> None:
    """Between every link of the hand and the named object."""
    item = f"{{ENV_REGEX_NS}}/Object_{name}/Geometry/{OBJECT_BODY}"
    for key, path in touch_bodies().items():
        sensor = ContactSensorCfg(prim_path=f"{{ENV_REGEX_NS}}/{path}", filter_prim_paths_expr=[item])
        setattr(cfg, key, sensor)
