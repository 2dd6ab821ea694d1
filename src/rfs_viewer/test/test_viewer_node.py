"""The viewer node in its own process, watched by a real browser. The executor is real too."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs.msg")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.ros

from viewer_rig import PATIENCE, FakeSession, Rig  # noqa: E402

from rfs_msgs.msg import ExecutedAction  # noqa: E402
from rfs_msgs.srv import OperatorCommand  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SOFTWARE_GL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-sandbox"]
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt install chromium")


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="module")
def rig(logs: Path) -> Iterator[Rig]:
    """With all processes, which start side by side."""
    made = Rig(int(os.environ["RFS_TEST_DOMAINS"].split(",")[0]))
    made.launch("rfs_control.nodes.executor_node", logs / "executor")
    made.launch("rfs_viewer.nodes.viewer_node", logs / "viewer", port=0, address="0.0.0.0")
    made.launch("rfs_viewer.nodes.viewer_node", logs / "wrong", port=70000)
    yield made
    made.close()


@pytest.fixture(scope="module")
def page() -> Iterator["playwright.Page"]:
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=SOFTWARE_GL)
        page = browser.new_page(viewport={"width": 1000, "height": 480})
        page.set_default_timeout(1e3 * PATIENCE)
        yield page
        browser.close()


def drawn_colors(page: "playwright.Page") -> int:
    """How many different colors the middle of the canvas has."""
    box = canvas(page)
    if not box["width"]:
        return 0
    middle = {"x": box["x"] + box["width"] / 4, "y": box["y"] + box["height"] / 4}
    size = {"width": box["width"] / 2, "height": box["height"] / 2}
    shot = imageio.imread(page.screenshot(clip=middle | size))
    return len(np.unique(shot[..., :3].reshape(-1, 3), axis=0))


def canvas(page: "playwright.Page") -> dict[str, float]:
    """Where the scene is drawn: the largest canvas. The others hold plots, which come and go."""
    read = "all => all.map(one => one.getBoundingClientRect().toJSON())"
    boxes = page.locator("canvas").evaluate_all(read)
    nothing = {"x": 0.0, "y": 0.0, "width": 0.0, "height": 0.0}
    return max(boxes, key=lambda box: box["width"] * box["height"], default=nothing)


def clicked(rig: Rig, page: "playwright.Page") -> bool:
    """Click an eighth of the canvas' height right of and below its middle; whether that was a prompt."""
    box = canvas(page)
    aside = box["height"] / 8
    page.mouse.click(box["x"] + box["width"] / 2 + aside, box["y"] + box["height"] / 2 + aside)
    return bool(rig.prompts)


def open_with_token(rig: Rig, page: "playwright.Page", log: Path) -> None:
    """Find address and token where the node printed them; before it is entered there is no button."""
    rig.wait(lambda: "asks for this token: " in log.read_text(), "the token")
    address = log.read_text().partition("the page is at ")[2].split()[0]
    page.goto(address.replace("0.0.0.0", "127.0.0.1"))
    page.get_by_role("button", name="Open").wait_for()
    assert page.get_by_text("STOP", exact=True).count() == 0
    page.get_by_role("textbox").fill(log.read_text().partition("asks for this token: ")[2].split()[0])
    page.get_by_role("button", name="Open").click()
    page.get_by_role("button", name="STOP", exact=True).wait_for()


@needs_browser
def test_an_operator_watches_stops_and_releases(rig: Rig, page: "playwright.Page", logs: Path) -> None:
    rig.engage()
    open_with_token(rig, page, logs / "viewer")

    def text(wanted: str) -> Callable[[], bool]:
        return lambda: page.get_by_text(wanted, exact=True).count() > 0

    def press(name: str) -> None:
        page.get_by_role("button", name=name, exact=True).click()

    rig.wait(text("AUTONOMOUS"), "the state on the page")
    rig.wait(lambda: drawn_colors(page) > 50, "a robot on the canvas")
    rig.send_nonsense()  # all that follows must work nevertheless

    press("Start episode")
    rig.wait(lambda: page.get_by_text("no session is running").count(), "the refusal on the page")
    press("STOP")
    rig.wait(lambda: rig.state() == ExecutedAction.STATE_STOPPED, "the executor stops")
    rig.wait(text("STOPPED"), "the stop on the page")
    press("Release stop")
    rig.wait(text("HOLDING"), "the release on the page")
    assert page.get_by_text("not engaged").count()

    press("Show the object to the tracker")
    rig.wait(lambda: clicked(rig, page), "a prompt")
    point = rig.prompts[-1].point
    pixels_off_center = 120 * 2 * 0.52 / 8  # the picture fills the canvas' height but for a margin
    assert point.x == pytest.approx(79.5 + pixels_off_center, abs=3)
    assert point.y == pytest.approx(59.5 + pixels_off_center, abs=3)
    assert rig.prompts[-1].header.frame_id == "camera_color_optical_frame"

    session = FakeSession(rig)
    rig.wait(lambda: page.get_by_text("Episode 3 of 50").count(), "the session on the page")
    press("Success")
    rig.wait(lambda: page.get_by_text("Success: no episode is running").count(), "the session's refusal")
    page.keyboard.press("Space")  # on a page whose button "Success" was pressed last
    rig.wait(lambda: len(session.commands) > 1, "the stop in the session")
    rig.wait(text("STOPPED"), "the stop on the page")
    assert session.commands == [OperatorCommand.Request.SUCCESS, OperatorCommand.Request.STOP]

    rig.engage()
    viewer = rig.processes[1]
    assert "Traceback" not in (logs / "viewer").read_text()
    viewer.kill()
    viewer.wait(PATIENCE)
    heard = len(rig.executed)
    rig.wait(lambda: len(rig.executed) > heard + 10, "the loop goes on")
    assert rig.state() == ExecutedAction.STATE_AUTONOMOUS


def test_a_wrong_parameter_is_one_sentence(rig: Rig, logs: Path) -> None:
    assert rig.processes[2].wait(PATIENCE) == 1
    printed = (logs / "wrong").read_text()
    assert "port must be a number from 0 to 65535" in printed
    assert "Traceback" not in printed
