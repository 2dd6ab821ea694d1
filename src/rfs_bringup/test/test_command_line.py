"""What a person sees who types ``./rfs``."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rfs_bringup import benchmarks, commands, forward, lint

SCRIPT = Path(__file__).parents[3] / "rfs"


def rfs(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *words], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("words", [(), ("--help",), ("help",)])
def test_the_overview_has_a_line_for_each_command(words: tuple[str, ...]) -> None:
    done = rfs(*words)
    assert done.returncode == 0
    for command in commands.COMMANDS:
        assert f"./rfs {command.words} " in done.stdout


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_a_group_of_commands_has_help(option: str) -> None:
    done = rfs("train", option)
    assert done.returncode == 0
    assert "./rfs train flow " in done.stdout
    assert "./rfs demo" not in done.stdout


def test_lint_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for words, status in ((["--help"], 0), (["src"], 2)):
        with pytest.raises(SystemExit) as ended:
            lint.main(words)
        assert ended.value.code == status
    assert "usage: rfs lint" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "guess"),
    [("dmeo", "demo"), ("train", "train flow"), ("train flo", "train flow"), ("docter", "doctor")],
)
def test_an_unknown_command_names_its_like(words: str, guess: str) -> None:
    done = rfs(*words.split())
    assert done.returncode == 2
    assert guess in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_runs_before_anything_is_installed(tmp_path: Path) -> None:
    file = tmp_path / "doctor.json"
    done = subprocess.run(
        [sys.executable, "-S", SCRIPT, "doctor", "--json", file],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    found = {finding["name"]: finding for finding in json.loads(file.read_text())}
    assert {"python", "ros", "disk", "rendering", "gpu", "spacemouse", "camera", "serial"} <= found.keys()
    assert done.returncode == int(any(finding["state"] == "missing" for finding in found.values()))


def test_commands_longer_than_one_word_get_only_their_own_arguments() -> None:
    command, rest = commands.find(["train", "flow", "--epochs", "3"])
    assert command.module == "rfs_learning.flow_training"
    assert rest == ["--epochs", "3"]


def test_own_errors_are_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rfs_failing.py").write_text("def main(argv):\n    raise ValueError('the cloud is empty')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["forward", "some command", "rfs_failing"])
    assert forward.main() == 1
    assert capsys.readouterr().err == "rfs some command: the cloud is empty\n"


def write_benchmark(folder: Path, name: str, body: str) -> None:
    (folder / "bench").mkdir(exist_ok=True)
    (folder / "bench" / f"{name}.py").write_text(body)


def test_bench_shows_and_writes_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RFS_ROOT", str(tmp_path))
    figure = {
        "name": "a.speed",
        "value": 12.5,
        "unit": "m/s",
        "goal": "> 10",
        "holds": True,
        "peer": 5.0,
        "ratio": 2.5,
    }
    write_benchmark(tmp_path, "a", f"def run():\n    return [{figure!r}]\n")
    assert benchmarks.main(["a", "--json", str(tmp_path / "out.json")]) == 0
    assert json.loads((tmp_path / "out.json").read_text()) == [figure]
    assert "a.speed  12.5   m/s   > 10  yes    5 (2.50 x)" in capsys.readouterr().out


def test_bench_fails_when_one_cannot_run_and_still_shows_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RFS_ROOT", str(tmp_path))
    write_benchmark(tmp_path, "bad", "def run():\n    return [{'name': 'b'}]\n")
    write_benchmark(tmp_path, "bare", "import no_such_package\n")
    write_benchmark(
        tmp_path, "good", "def run():\n    return [dict(name='g', value=1, unit='', goal=None, holds=None)]\n"
    )
    assert benchmarks.main([]) == 1
    captured = capsys.readouterr()
    assert "figure b: missing" in captured.err
    assert "bare: No module named 'no_such_package'; bench/README.md says" in captured.err
    assert "\ng " in captured.out
    assert benchmarks.main(["godo"]) == 2
