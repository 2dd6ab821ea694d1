"""The process manager, with real child processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rfs_bringup.node_spec import NodeSpec

from rfs_bringup import processes

SLEEPER = "import signal, sys; print('up', flush=True); signal.pause()"
STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
while True:
    signal.pause()
"""
PARENT_OF_ONE = """
import signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print("child", child.pid, flush=True)
signal.pause()
"""
#: Runs a stack of the given scripts in a process of its own, printing the nodes' output.
RUNNER = """
import json, sys
from rfs_bringup import processes
from rfs_bringup.node_spec import NodeSpec
scripts = json.loads(sys.argv[1])
nodes = [NodeSpec(name, "no_package", "no_node", essential=name != "spare") for name in scripts]
commands = {name: [sys.executable, "-c", text] for name, text in scripts.items()}
sys.exit(processes.run(nodes, commands=commands))
"""


def start(scripts: dict[str, str], domain: str) -> subprocess.Popen[str]:
    variables = os.environ | {
        "ROS_DOMAIN_ID": domain,
        "PYTHONPATH": os.pathsep.join(
            [str(Path(processes.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        ),
    }
    return subprocess.Popen(
        [sys.executable, "-c", RUNNER, json.dumps(scripts)],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_until(process: subprocess.Popen[str], enough: Callable[[str], bool]) -> str:
    """Output so far, once ``enough`` of it is there."""
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if enough(text):
            return text
    raise AssertionError(f"the stack ended early:\n{text}")


def pids(text: str) -> list[int]:
    started = [
        int(line.split("pid=")[1].rstrip(")\n")) for line in text.splitlines() if "started (pid=" in line
    ]
    return started + [int(line.rsplit(" ", 1)[1]) for line in text.splitlines() if "| child " in line]


def is_alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def domain(request: pytest.FixtureRequest) -> str:
    """A domain name of this test alone: only the lock file uses it."""
    return f"test-{os.getpid()}-{abs(hash(request.node.name))}"


def test_death_of_one_node_stops_all_with_its_exit_status(domain: str) -> None:
    process = start({"steady": SLEEPER, "short": "import sys; print('bye'); sys.exit(7)"}, domain)
    text, _ = process.communicate(timeout=30)
    assert process.returncode == 7
    assert "short" in text
    assert "bye" in text
    assert not any(map(is_alive, pids(text)))


def test_without_a_node_that_is_not_essential_the_others_go_on(domain: str) -> None:
    reader, writer = os.pipe()
    waits = f"import os, sys; sys.exit(5 if os.read(os.open('/proc/{os.getpid()}/fd/{reader}', 0), 1) else 6)"
    process = start({"steady": waits, "spare": "import sys; sys.exit(7)"}, domain)
    text = read_until(process, lambda out: "the others go on without it" in out and "steady" in out)
    (steady,) = pids("\n".join(line for line in text.splitlines() if "steady" in line))
    assert is_alive(steady)
    os.write(writer, b"x")
    process.communicate(timeout=30)
    assert process.returncode == 5


def test_node_ended_by_a_signal_gives_a_shell_status(domain: str) -> None:
    process = start(
        {"steady": SLEEPER, "shot": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"}, domain
    )
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_stops_all_within_five_seconds(domain: str, number: signal.Signals, status: int) -> None:
    process = start({"polite": SLEEPER, "stubborn": STUBBORN, "family": PARENT_OF_ONE}, domain)
    text = read_until(process, lambda out: out.count("| up") == 2 and "| child" in out)
    began = time.monotonic()
    process.send_signal(number)
    process.communicate(timeout=30)
    assert time.monotonic() - began < 5.0  # the promise itself, with the stubborn node killed after 3 s
    assert process.returncode == status
    assert len(pids(text)) == 4
    assert not any(map(is_alive, pids(text)))


def test_killing_the_launcher_leaves_no_node(domain: str) -> None:
    process = start({"one": SLEEPER, "two": SLEEPER}, domain)
    text = read_until(process, lambda out: out.count("| up") == 2)
    process.kill()
    process.communicate(timeout=30)  # returns when the nodes' ends of the pipe are closed, too
    deadline = time.monotonic() + 5
    while any(map(is_alive, pids(text))) and time.monotonic() < deadline:
        os.sched_yield()
    assert not any(map(is_alive, pids(text)))


def test_second_stack_on_a_domain_is_refused(domain: str) -> None:
    first = start({"one": SLEEPER}, domain)
    try:
        read_until(first, lambda out: "| up" in out)
        second = start({"one": SLEEPER}, domain)
        text, _ = second.communicate(timeout=30)
        assert second.returncode != 0
        assert f"a stack already runs on ROS domain {domain} (process {first.pid})" in text
    finally:
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=30)
    with processes.only_stack(domain):
        pass  # free again


def test_an_empty_domain_is_the_domain_that_ros_takes_it_for(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[str] = []

    def only_stack(domain: str) -> None:
        wanted.append(domain)
        raise RuntimeError("this test starts nothing")

    monkeypatch.setattr(processes, "only_stack", only_stack)
    for variables in ({}, {"ROS_DOMAIN_ID": ""}):
        with pytest.raises(RuntimeError, match="starts nothing"):
            processes.run([], processes.Lines(lambda *_: None), variables)
    assert wanted == ["0", "0"]


def test_parameters_keep_their_type_on_the_command_line() -> None:
    node = NodeSpec(
        "n", "rfs_policy", "policy_node", {"flag": True, "text": "true", "empty": "", "rate": 10.0, "n": 3}
    )
    words = processes.command(node)
    assert words[1:4] == ["-u", "-m", "rfs_policy.nodes.policy_node"]
    assert words[-10:] == [
        "-p",
        "flag:=true",
        "-p",
        'text:="true"',
        "-p",
        'empty:=""',
        "-p",
        "rate:=10.0",
        "-p",
        "n:=3",
    ]


def test_lines_reach_a_function(domain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", domain)
    seen: list[tuple[str, str]] = []
    script = [sys.executable, "-c", "print('a'); print('b')"]
    printer = processes.Lines(lambda name, line: seen.append((name, line)))
    assert processes.run([NodeSpec("talker", "p", "e")], printer, commands={"talker": script}) == 0
    assert [line for name, line in seen if name == "talker"] == ["a", "b"]
