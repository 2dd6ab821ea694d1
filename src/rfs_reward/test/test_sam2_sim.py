"""The SAM2 that ships with this package really tracks: a prompted object through the simulator's pictures."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from rfs_reward.camera import PinholeCamera
from rfs_reward.frame import Frame
from rfs_reward.trackers.registry import make_tracker
from rfs_sim_bridge.camera import take_picture
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.pictures import OBJECT, Camera
from rfs_sim_bridge.snapshot import Snapshot

STEPS, CAMERA = 25, Camera()


def carried(name: str) -> Iterator[tuple[Frame, np.ndarray]]:
    """Frames and the object's pixels (h, w): it is pushed 10 cm aside, then lifted by 20 cm, turning."""
    task = GraspTask(num_envs=1, objects=[name], threads=1)
    task.reset([1_000_007], [name])
    joints, (start, _) = task.joint_positions[0], (pose[0] for pose in task.object_pose)
    pinhole = PinholeCamera(
        CAMERA.intrinsics, np.array(CAMERA.position), CAMERA.rotation, CAMERA.width, CAMERA.height
    )
    shape = (CAMERA.height, CAMERA.width)
    for step in range(STEPS):
        way = step / (STEPS - 1)
        aside, up = 0.1 * min(1.0, 2 * way), 0.2 * max(0.0, 2 * way - 1)
        turn = np.array([0.0, 0.0, np.sin(way), np.cos(way)])
        picture = take_picture(Snapshot(name, joints, np.add(start, [0.0, aside, up]), turn), CAMERA)
        frame = Frame(step, picture.color, picture.depth, pinhole, joints, np.zeros(shape, bool))
        yield frame, picture.segmentation == OBJECT


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(("name", "by_box"), [("sphere", True), ("bottle", False)])
def test_a_prompted_object_is_tracked(name: str, by_box: bool) -> None:
    """A shape of its training by a box, and another by a click; what it does not reach is in its README."""
    tracker = make_tracker("sam2", device="cpu")
    overlaps = []
    for frame, truth in carried(name):
        if frame.stamp == 0:
            rows, columns = np.nonzero(truth)
            box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            middle = [[np.median(columns), np.median(rows)]]
            tracker.prompt(frame, box=box) if by_box else tracker.prompt(frame, points=middle)
        else:
            overlaps.append(iou(tracker.track(frame).mask, truth))
    assert np.mean(overlaps) > 0.5
