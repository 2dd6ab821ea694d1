"""Makes and keeps the workspace: a virtual environment, the packages in it, and the colcon build.

Each step has a hash of what it depends on and runs only when that changed or when it never finished, so a
second call costs milliseconds and an interrupted one resumes. Only the standard library is used: this runs
before anything is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rfs_bringup import environment, interpreter, packages, ros_flavor
from rfs_bringup.errors import SetupError
from rfs_bringup.setup_steps import Step, complete, unfinished
from rfs_bringup.stamps import Stamps, digest, digest_files

NEEDED_DISK_GB = 4.0
#: Only these file kinds change what colcon installs; Python sources are linked, not copied.
BUILD_INPUTS = (
    "src/*/package.xml",
    "src/*/setup.py",
    "src/*/setup.cfg",
    "src/*/CMakeLists.txt",
    "src/*/resource/*",
    "src/*/msg/*.msg",
    "src/*/srv/*.srv",
    "src/*/launch/*.py",
    "src/*/config/*.yaml",
)


@dataclass
class Workspace:
    """The checkout at ``root`` and the ROS it is built against."""

    root: Path
    flavor: ros_flavor.RosFlavor
    variables: dict[str, str]
    say: Callable[[str], None] = field(default=lambda line: print(line, file=sys.stderr, flush=True))

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    @property
    def state(self) -> Path:
        return self.venv / "rfs"

    @property
    def base_environment(self) -> dict[str, str]:
        return environment.base(self.root, self.venv, self.flavor, self.variables)

    def requirement_files(self, development: bool) -> list[Path]:
        names = ["requirements.txt"]
        if self.flavor.from_wheels:
            names.append("requirements-ros.txt")
        if development:
            names.append("requirements-dev.txt")
        return [self.root / name for name in names]


def open_workspace(root: Path) -> Workspace:
    variables = dict(os.environ)
    return Workspace(root, ros_flavor.detect(variables), variables)


def ensure(workspace: Workspace, development: bool = False) -> dict[str, str]:
    """Bring everything up to date and give the environment to run in.

    Raises SetupError with the way out when this machine lacks something or a step fails.
    """
    complete(workspace, lambda: steps(workspace, development))
    return run_environment(workspace)


def run_environment(workspace: Workspace) -> dict[str, str]:
    return environment.load(workspace.base_environment, workspace.state / "environment.json")


def pending(workspace: Workspace, stamps: Stamps, development: bool) -> list[Step]:
    """The steps of this workspace whose inputs changed since they last finished."""
    return unfinished(steps(workspace, development), stamps)


def steps(workspace: Workspace, development: bool) -> list[Step]:
    """All steps in order."""
    root = workspace.root
    place = digest(str(root), workspace.flavor.distro or "wheels")

    def requirements(names: list[Path]) -> str:
        return digest(place, digest_files(root, names))

    def build_inputs() -> str:
        files = [file for pattern in BUILD_INPUTS for file in root.glob(pattern)]
        present = str((root / "install" / "setup.bash").exists())
        return digest(requirements(workspace.requirement_files(False)), digest_files(root, files), present)

    def shell_inputs() -> str:
        lists = [workspace.base_environment.get(name, "") for name in ros_flavor.PATH_LISTS]
        return digest(build_inputs(), *lists)

    runtime = workspace.requirement_files(False)
    plan = [
        Step(
            "venv",
            "Python environment in .venv",
            lambda: digest(place, str(workspace.python.exists())),
            lambda: _make_venv(workspace),
        ),
        Step(
            "packages",
            "Python packages (a few minutes the first time)",
            lambda: requirements(runtime),
            lambda: packages.install(workspace, runtime),
        ),
    ]
    if development:
        every = workspace.requirement_files(True)
        plan.append(
            Step(
                "development",
                "test and lint packages",
                lambda: requirements(every),
                lambda: packages.install(workspace, every[-1:]),
            )
        )
    return [
        *plan,
        Step("build", "colcon build", build_inputs, lambda: _build(workspace)),
        Step("environment", "environment of the built workspace", shell_inputs, lambda: _capture(workspace)),
    ]


def _make_venv(workspace: Workspace) -> None:
    """Make .venv, or adopt a working one of a supported Python; a half-made one is replaced."""
    if _working(workspace):
        return
    chosen = interpreter.choose(workspace.flavor)
    interpreter.require_tools(chosen)
    require_disk(workspace, NEEDED_DISK_GB)
    create_venv(workspace, chosen)


def require_disk(workspace: Workspace, needed: float) -> None:
    """SetupError where less than `needed` GB are free."""
    free = shutil.disk_usage(workspace.root).free / 1e9
    if free < needed:
        raise SetupError(f"The environment needs about {needed:.0f} GB of disk; {free:.1f} GB are free.")


def create_venv(workspace: Workspace, chosen: interpreter.Interpreter) -> None:
    """A new virtual environment in place of whatever is there; with a sourced ROS it sees the system's."""
    command = [chosen.executable, "-m", "venv", "--clear", str(workspace.venv)]
    if not workspace.flavor.from_wheels:
        command.insert(3, "--system-site-packages")
    done = subprocess.run(
        command, env=workspace.base_environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SetupError(f"{chosen.name} -m venv failed: {(done.stdout + done.stderr).strip()[-800:]}")


def _working(workspace: Workspace) -> bool:
    """Whether .venv is there, whole, of a supported Python, and made for this folder and this kind of ROS."""
    if not workspace.python.exists():
        return False
    found = interpreter.probe(str(workspace.python), workspace.base_environment)
    config = (workspace.venv / "pyvenv.cfg").read_text() if (workspace.venv / "pyvenv.cfg").exists() else ""
    shares_system = "include-system-site-packages = true" in config
    has_pip = any(workspace.venv.glob("lib/python3.*/site-packages/pip/__main__.py"))
    pip = workspace.venv / "bin" / "pip"
    in_place = pip.exists() and str(workspace.venv) in pip.read_text(errors="replace").split("\n", 1)[0]
    suits = shares_system != workspace.flavor.from_wheels
    return found is not None and (found.supported or found.has_rclpy) and has_pip and in_place and suits


def _build(workspace: Workspace) -> None:
    colcon_build(workspace)


def colcon_build(workspace: Workspace, verbs: tuple[str, ...] = (), options: tuple[str, ...] = ()) -> None:
    """``colcon VERBS build OPTIONS`` with linked Python sources, so that edits need no rebuild."""
    if workspace.flavor.from_wheels:
        packages.rewrite_prefixes(workspace)
    command = [
        str(workspace.python),
        "-m",
        "colcon",
        *verbs,
        "build",
        *options,
        "--symlink-install",
        "--cmake-args",
        f"-DPython3_EXECUTABLE={workspace.python}",
        "-DCMAKE_BUILD_TYPE=Release",
    ]
    found = packages.logged(workspace, command, shows=("Finished <<<", "Failed   <<<"))
    if found.returncode == 0:
        return
    hint = " (apt install python3-colcon-common-extensions)" if "No module named colcon" in found.tail else ""
    log = packages.log_file(workspace)
    raise SetupError(f"colcon build failed{hint}:\n{found.tail}\nThe whole log: {log}")


def _capture(workspace: Workspace) -> None:
    setup = workspace.root / "install" / "setup.bash"
    environment.capture(setup, workspace.base_environment, workspace.state / "environment.json")
