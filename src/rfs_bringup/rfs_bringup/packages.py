"""Installing the pinned Python packages with pip, and what the ROS wheels need after that."""

from __future__ import annotations

import collections
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rfs_bringup.errors import SetupError

if TYPE_CHECKING:
    from rfs_bringup.workspace import Workspace

#: A download pip names with a size: "Downloading torch-2.13.0-...whl (190.3 MB)".
_DOWNLOAD = re.compile(r"Downloading (?:\S*/)?([A-Za-z0-9_.]+-[0-9][^-\s]*)-\S+ \(([0-9.]+ [MG]B)\)")
_UV = {"UV_SYSTEM_CERTS": "1"}
#: The ROS wheels' CMake files name the interpreter of the machine that built them.
_BUILDER_INCLUDE = re.compile(r"/opt/python/cp\d+-cp\d+/include/python3\.\d+")
_BUILDER_SITE = re.compile(r"/opt/python/cp\d+-cp\d+/lib/python3\.\d+/site-packages")


@dataclass(frozen=True)
class Outcome:
    """Exit status and the last lines of a logged command."""

    returncode: int
    tail: str


def log_file(workspace: Workspace) -> Path:
    return workspace.state / "setup.log"


def install(workspace: Workspace, files: list[Path]) -> None:
    """``pip install`` the requirement files; PyTorch first, to get its CPU build where there is no GPU."""
    torch = _torch_requirements(files)
    if torch and not has_nvidia():
        _try_cpu_torch(workspace, torch)
    _install_with_pip(workspace, files)


def install_many(workspace: Workspace, files: list[Path]) -> None:
    """As `install`, with uv, which resolves and unpacks hundreds of packages several times as fast as pip.

    pip takes over where uv does not get through, as with an index that only pip's settings name.
    """
    torch = _torch_requirements(files)
    if torch and not has_nvidia():
        _try_cpu_torch(workspace, torch)
    if _has_uv(workspace):
        wanted = [word for file in files for word in ("-r", str(file))]
        workspace.say("      downloading and unpacking")
        if logged(workspace, [*_uv_install(workspace), *wanted], extra=_UV).returncode == 0:
            return
        workspace.say("      uv did not get through; pip tries")
    _install_with_pip(workspace, files)


def _install_with_pip(workspace: Workspace, files: list[Path]) -> None:
    command = [str(workspace.python), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    for file in files:
        command += ["-r", str(file)]
    outcome = logged(workspace, command, shows=("Downloading ", "Installing collected"))
    if outcome.returncode != 0:
        raise SetupError(_explain(outcome.tail, workspace))


def has_nvidia() -> bool:
    return Path("/dev/nvidiactl").exists() or shutil.which("nvidia-smi") is not None


def _torch_requirements(files: list[Path]) -> list[str]:
    """PyTorch and, where it is wanted, torchvision, which must come from the same index."""
    lines = [line.strip() for file in files for line in file.read_text().splitlines()]
    return [line for line in lines if line.startswith(("torch==", "torchvision=="))]


def _try_cpu_torch(workspace: Workspace, requirements: list[str]) -> None:
    """uv knows PyTorch's own CPU index. Where that cannot be reached, pip gets whatever build it finds."""
    installed = f"lib/python3.*/site-packages/{requirements[0].replace('==', '-')}*.dist-info"
    if any(workspace.venv.glob(installed)):
        return
    if not _has_uv(workspace):
        return
    workspace.say("      PyTorch without CUDA (no NVIDIA GPU here)")
    command = [*_uv_install(workspace), "--torch-backend=cpu", *requirements]
    impatient = _UV | {"UV_HTTP_TIMEOUT": "20", "UV_HTTP_RETRIES": "0"}
    if logged(workspace, command, extra=impatient).returncode != 0:
        workspace.say("      PyTorch's CPU index was not reached; the general index has what there is")


def _has_uv(workspace: Workspace) -> bool:
    pip = [str(workspace.python), "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "uv"]
    return logged(workspace, pip).returncode == 0


def _uv_install(workspace: Workspace) -> list[str]:
    return [str(workspace.venv / "bin" / "uv"), "pip", "install", "--python", str(workspace.python)]


def _explain(tail: str, workspace: Workspace) -> str:
    """One sentence for the usual reasons that pip fails, with its own last lines below."""
    reasons = {
        "No space left on device": "The disk is full. Free some space",
        "No matching distribution": "A pinned package has no build for this Python or machine",
        "Temporary failure in name resolution": "The package index was not reached. Check the network",
        "Connection": "The package index was not reached. Check the network",
        "Read timed out": "The package index did not answer in time",
    }
    reason = next((text for sign, text in reasons.items() if sign in tail), "pip install failed")
    log = log_file(workspace)
    return f"{reason}, then run the same command again: it resumes.\n{tail}\nThe whole log: {log}"


def logged(
    workspace: Workspace, command: list[str], shows: tuple[str, ...] = (), extra: dict[str, str] | None = None
) -> Outcome:
    """Run with all output in the log; show lines that begin with one of ``shows`` (large downloads only)."""
    file = log_file(workspace)
    file.parent.mkdir(parents=True, exist_ok=True)
    last: collections.deque[str] = collections.deque(maxlen=12)
    with file.open("a") as log:
        log.write(f"\n$ {' '.join(command)}\n")
        process = subprocess.Popen(
            command,
            cwd=workspace.root,
            env=workspace.base_environment | (extra or {}),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            errors="replace",
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                log.write(line)
                last.append(line.rstrip())
                shown = _for_people(line, shows)
                if shown:
                    workspace.say(f"      {shown}")
        except BaseException:
            process.kill()  # an interrupted setup must not go on behind the next one's back
            process.wait()
            raise
    return Outcome(process.wait(), "\n".join(last))


def _for_people(line: str, shows: tuple[str, ...]) -> str:
    text = line.strip()
    if not text.startswith(shows):
        return ""
    if text.startswith("Installing collected"):
        return "unpacking and installing"
    if text.startswith("Downloading"):
        found = _DOWNLOAD.match(text)
        return f"downloading {found[1]} ({found[2]})" if found and _is_large(found[2]) else ""
    return text


def _is_large(size: str) -> bool:
    number, unit = size.split()
    return unit == "GB" or float(number) >= 10.0


def rewrite_prefixes(workspace: Workspace) -> int:
    """Point the ROS wheels' CMake files to this interpreter; gives the number of files changed."""
    script = "import sysconfig; print(sysconfig.get_path('include')); print(sysconfig.get_path('purelib'))"
    asked = subprocess.run(
        [str(workspace.python), "-c", script],
        env=workspace.base_environment,
        capture_output=True,
        text=True,
        check=True,
    )
    include, site = asked.stdout.split("\n")[:2]
    return sum(_rewrite(file, include, site) for file in (workspace.venv / "share").glob("*/cmake/*.cmake"))


def _rewrite(file: Path, include: str, site: str) -> bool:
    text = file.read_text()
    changed = _BUILDER_SITE.sub(lambda _: site, _BUILDER_INCLUDE.sub(lambda _: include, text))
    if changed == text:
        return False
    temporary = file.with_suffix(".rewritten")
    temporary.write_text(changed)
    temporary.replace(file)
    return True
