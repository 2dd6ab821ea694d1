"""`./rfs demo` leaves a table, a bag for each trial, figures as JSON, and one page that stands alone."""

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs.msg")

from rfs_bringup import demo


@pytest.mark.ros
def test_a_demo_leaves_figures_bags_and_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = tmp_path / "figures.json"
    words = ["--trials", "2", "--object", "box", "sphere", "--output", str(tmp_path), "--json", str(figures)]
    assert demo.main(words) == 0
    said = capsys.readouterr().out
    assert re.search(r"trial +2/2 +sphere", said)
    content = json.loads(figures.read_text())
    assert content["trials"] == 2
    assert [row["object"] for row in content["rows"]] == ["box", "sphere", "all"]
    assert content["successes"] == content["rows"][-1]["successes"]
    for episode in content["episodes"]:
        assert (Path(episode["bag"]) / "metadata.yaml").is_file()
        assert episode["written"] == episode["received"] > 0
    page = Path(content["report"]).read_text()
    assert page.count("<img") == 2 * 3 + 2
    assert set(re.findall(r'src="([^:]*):', page)) == {"data"}
    assert "http" not in page


@pytest.mark.parametrize(
    ("words", "policy"),
    [
        ([], "distilled"),
        (["--robot", "target"], "distilled"),
        (["--modulation", "adapted"], "default"),
        (["--modulation", "adapted", "--policy", "distilled"], "distilled"),
    ],
)
def test_the_demos_policy_is_the_distilled_one_unless_one_is_adapted(
    words: list[str], policy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = []
    monkeypatch.setattr(demo, "run_stack", lambda run, console: ran.append(run) or 0)
    demo.main([*words, "--output", str(tmp_path)])
    assert [run.policy for run in ran] == [policy]
    parameters = {node.name: node.parameters for node in ran[0].nodes()}
    assert parameters["policy"]["policy"] == policy


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--object", "cow"], "unknown object 'cow'"),
        (["--trials", "0"], "at least 1 trial"),
        (["--seed", "-3"], "0 or more"),
        (["--policy", "/nowhere"], "no such checkpoint"),
        (["--modulation", "/nowhere"], "no such file or folder"),
    ],
)
def test_what_cannot_run_is_said_and_leaves_nothing(
    words: list[str], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo.main([*words, "--output", str(tmp_path)]) == 1
    assert named in " ".join(capsys.readouterr().out.split())
    assert not list(tmp_path.iterdir())
