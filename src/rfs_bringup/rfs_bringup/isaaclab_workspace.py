"""``./rfs setup isaaclab``: a second environment, with Isaac Lab, and this workspace built for its Python.

It lies in .venv-isaaclab: the packages of requirements-isaaclab.txt, the messages and packages that the
bridge needs, and the robot as USD. Nothing else uses it, so the first environment stays as it is.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rfs_bringup import environment, interpreter, packages, python312, ros_flavor, setup_steps, workspace
from rfs_bringup.errors import SetupError
from rfs_bringup.setup_steps import Step
from rfs_bringup.stamps import Stamps, digest, digest_files

FOLDER = ".venv-isaaclab"
PACKAGE = "rfs_isaaclab"
NEEDED_DISK_GB = 12.0
#: Variables that differ from one interpreter's environment to another's.
OWN_VARIABLES = (
    *ros_flavor.PATH_LISTS,
    "PATH",
    "VIRTUAL_ENV",
    "ROS_DISTRO",
    "_ROS_WHEELS_BOOTSTRAP_COMPLETE",
)
_PACKAGES = ("rfs_msgs", "rfs_description", "rfs_policy", "rfs_control", "rfs_sim_bridge", PACKAGE)
_BUILD_INPUTS = tuple(p.replace("*", name, 1) for p in workspace.BUILD_INPUTS for name in _PACKAGES)
_ASSET_INPUTS = (
    "requirements-isaaclab-converter.txt",
    "src/rfs_description/rfs_description/data/*.xml",
    "src/rfs_sim_bridge/rfs_sim_bridge/scene.py",
    "src/rfs_sim_bridge/rfs_sim_bridge/config/objects.yaml",
    *(f"src/{PACKAGE}/{PACKAGE}/{name}.py" for name in ("assets_command", "mjcf_sources", "usd_assets")),
)


@dataclass
class IsaacLabWorkspace(workspace.Workspace):
    """The same checkout, seen from Isaac Lab's environment; `wanted`: the Python to make it with."""

    wanted: str = ""

    @property
    def venv(self) -> Path:
        return self.root / FOLDER

    def requirement_files(self, development: bool) -> list[Path]:
        names = ["requirements-isaaclab.txt"]
        if self.flavor.from_wheels:
            names.append("requirements-ros.txt")
        return [self.root / name for name in names]

    @property
    def install(self) -> Path:
        """The workspace built for this environment's Python."""
        return self.state / "install"

    @property
    def captured(self) -> Path:
        return self.state / "environment.json"

    @property
    def assets(self) -> Path:
        """Robot, table and objects as USD."""
        return self.state / "assets"


def open_isaaclab(root: Path, wanted: str = "") -> IsaacLabWorkspace:
    place = workspace.open_workspace(root)
    return IsaacLabWorkspace(place.root, place.flavor, place.variables, place.say, wanted)


def ensure(place: IsaacLabWorkspace) -> dict[str, str]:
    """Bring everything up to date and give the environment to run in; SetupError says what is missing."""
    setup_steps.complete(place, lambda: steps(place))
    return run_environment(place)


def run_environment(place: IsaacLabWorkspace) -> dict[str, str]:
    """Variables of a process with Isaac Lab, whatever environment this process runs in.

    Raises:
        FileNotFoundError: Isaac Lab is not set up here.
        ValueError: its set-up is older than what it depends on.
    """
    stamps = Stamps(place.state / "stamps.json")
    if not stamps.done or not place.captured.is_file():
        raise FileNotFoundError(
            "sim:=isaaclab needs Isaac Lab, which is not set up: run ./rfs setup isaaclab"
        )
    left = [step.title for step in setup_steps.unfinished(steps(place), stamps) if step.name != "environment"]
    if left:
        raise ValueError(
            f"Isaac Lab's set-up is not up to date ({', '.join(left)}): run ./rfs setup isaaclab"
        )
    return environment.load(place.base_environment, place.captured)


def own_checkout() -> Path:
    """RFS_ROOT, or the checkout that this file lies in."""
    named = os.environ.get("RFS_ROOT", "")
    parents = Path(__file__).resolve().parents
    found = next(
        (folder for folder in parents if (folder / "requirements-isaaclab.txt").is_file()), parents[-1]
    )
    return Path(named) if named else found


def own_environment() -> dict[str, str]:
    """`run_environment` of this checkout."""
    return run_environment(open_isaaclab(own_checkout()))


def own_python() -> str:
    """Isaac Lab's interpreter."""
    return str(open_isaaclab(own_checkout()).python)


def steps(place: IsaacLabWorkspace) -> list[Step]:
    """All steps in order."""
    root, files = place.root, place.requirement_files(False)
    where = digest(str(root), place.flavor.distro or "wheels")

    def inputs(*patterns: str) -> str:
        return digest_files(root, [file for pattern in patterns for file in root.glob(pattern)])

    def required() -> str:
        return digest(where, digest_files(root, files))

    def built() -> str:
        present = str((place.install / "setup.bash").exists())
        return digest(required(), inputs(*_BUILD_INPUTS), present)

    def converted() -> str:
        return digest(required(), inputs(*_ASSET_INPUTS), str((place.assets / "fr3_leap.usda").exists()))

    return [
        Step(
            "venv", f"Python 3.12 environment in {FOLDER}", lambda: _venv_inputs(place), lambda: _make(place)
        ),
        Step(
            "packages",
            "Isaac Lab (8 GB, some minutes)",
            required,
            lambda: packages.install_many(place, files),
        ),
        Step("build", "colcon build for Python 3.12", built, lambda: _build(place)),
        Step("environment", "environment of the built workspace", built, lambda: _capture(place)),
        Step("assets", "robot and objects as USD", converted, lambda: _convert(place)),
    ]


def _venv_inputs(place: IsaacLabWorkspace) -> str:
    return digest(str(place.root), place.flavor.distro or "wheels", str(place.python.exists()))


def _make(place: IsaacLabWorkspace) -> None:
    """A working environment is kept, whatever Python it was made with: making one takes many minutes."""
    found = interpreter.probe(str(place.python), place.base_environment)
    if found is not None and found.version[:2] == python312.WANTED and found.has_venv:
        return
    chosen = python312.choose(place.wanted, place.variables)
    interpreter.require_tools(chosen)
    workspace.require_disk(place, NEEDED_DISK_GB)
    workspace.create_venv(place, chosen)


def _build(place: IsaacLabWorkspace) -> None:
    """What the bridge needs, beside the other build: messages differ from Python to Python."""
    logs, build = place.state / "log", place.state / "build"
    options = ("--build-base", str(build), "--install-base", str(place.install))
    workspace.colcon_build(place, ("--log-base", str(logs)), (*options, "--packages-up-to", PACKAGE))


def _capture(place: IsaacLabWorkspace) -> None:
    environment.capture(place.install / "setup.bash", place.base_environment, place.captured)


def _convert(place: IsaacLabWorkspace) -> None:
    """With the converter in an environment of its own: it pins another MuJoCo than Isaac Lab does."""
    tools = _ConverterWorkspace(place.root, place.flavor, place.variables, place.say)
    if not tools.python.exists():
        workspace.create_venv(tools, python312.choose(str(place.python), place.variables))
    packages.install_many(tools, [place.root / "requirements-isaaclab-converter.txt"])
    converter = tools.venv / "bin" / "mujoco_usd_converter"
    variables = environment.load(place.base_environment, place.captured)
    command = [str(place.python), "-m", f"{PACKAGE}.assets_command", str(place.assets)]
    found = packages.logged(place, [*command, "--converter", str(converter)], extra=variables)
    if found.returncode != 0:
        raise SetupError(
            f"Robot and objects were not converted:\n{found.tail}\nLog: {packages.log_file(place)}"
        )


@dataclass
class _ConverterWorkspace(workspace.Workspace):
    @property
    def venv(self) -> Path:
        return self.root / FOLDER / "rfs" / "converter"

    @property
    def state(self) -> Path:
        return self.root / FOLDER / "rfs"


def installed_version(place: IsaacLabWorkspace) -> str:
    """Version of the installed Isaac Lab; empty where there is none."""
    found = sorted(place.venv.glob("lib/python3.*/site-packages/isaaclab-*.dist-info"))
    return found[0].name.removeprefix("isaaclab-").removesuffix(".dist-info") if found else ""
