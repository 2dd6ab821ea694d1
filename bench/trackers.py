"""Time per frame of each tracker on this CPU, and what ten minutes of tracking add to the process.

Frames are of one simulated grasp with the camera's noise. SAM2's published shapes have random weights here:
their values do not change the time. All on one thread, as in the reward node.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, cycle, islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from rfs_learning.sam2_poses import Poses, play
from rfs_reward.camera import PinholeCamera
from rfs_reward.frame import Frame
from rfs_reward.robot_view import RobotView
from rfs_reward.tracker import Tracker
from rfs_reward.trackers.registry import make_tracker
from rfs_sim_bridge.camera_noise import Exposure, noisy_picture
from rfs_sim_bridge.episodes import draw
from rfs_sim_bridge.objects import find_object
from rfs_sim_bridge.pictures import OBJECT, Camera
from rfs_sim_bridge.task_config import TaskConfig
from transformers import Sam2VideoConfig, Sam2VideoModel

OBJECT_NAME, SEED, STEPS = "box", 1_000_000, 60
SIZES = {"tiny": (256, 512, 1024), "small": (512,), "base_plus": (512,), "large": (512,)}
WARM_UP = 8
"""Frames until SAM2's memory is full."""
SECONDS, LEAST, MOST = 10.0, 3, 200
"""A tracker is measured for about so long, over so many frames."""
GROWTH_FRAMES, SETTLED, GOAL_GROWTH_MB = 6000, 500, 20.0
"""Ten minutes at 10 Hz."""


def run() -> list[dict[str, Any]]:
    """Figures of this machine, now. Some minutes."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    frames, box = record(Camera())
    large, large_box = record(Camera(width=640, height=480), every=3)
    figures = [_time("rgbd", make_tracker("rgbd"), frames, box)]
    figures.append(_time("rgbd_640x480", make_tracker("rgbd"), large, large_box))
    figures.append(_time("sam2_sim", make_tracker("sam2", device="cpu"), frames, box))
    for name, sizes in SIZES.items():
        figures += _published(name, sizes, frames, box)
    return figures + [_growth(name) for name in ("rgbd", "sam2")]


def record(camera: Camera, every: int = 1) -> tuple[list[Frame], list[float]]:
    """Each `every`-th frame of one episode, and a box around the object in the first."""
    poses = Poses(play([OBJECT_NAME], np.array([SEED]), STEPS), (OBJECT_NAME,))
    config = TaskConfig.default()
    exposure = Exposure.of(draw(SEED, find_object(OBJECT_NAME), config), config.camera)
    view, frames, box = RobotView(), [], []
    calibrated = PinholeCamera(
        camera.intrinsics, np.asarray(camera.position), camera.rotation, camera.width, camera.height
    )
    for step in range(0, STEPS, every):
        snapshot = poses.snapshot(0, step)
        picture = noisy_picture(snapshot, camera, exposure.at(step))
        joints = snapshot.joint_positions
        robot = view.mask(calibrated, joints, picture.depth)
        frames.append(Frame(step * 100_000_000, picture.color, picture.depth, calibrated, joints, robot))
        if not box:
            rows, columns = np.nonzero(picture.segmentation == OBJECT)
            box = [float(v) for v in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)]
    return frames, box


def _published(
    name: str, sizes: tuple[int, ...], frames: list[Frame], box: list[float]
) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        _random_model(name).save_pretrained(folder)
        for size in sizes:
            tracker = make_tracker("sam2", folder, size, "cpu")
            yield _time(f"sam2.1_{name}_{size}", tracker, frames, box)


def _random_model(name: str) -> Sam2VideoModel:
    """Of the published shape, and sure that the object is seen."""
    width, blocks, attention, windows, background, heads = {
        "tiny": (96, [1, 2, 7, 2], [5, 7, 9], [8, 4, 14, 7], 7, 1),
        "small": (96, [1, 2, 11, 2], [7, 10, 13], [8, 4, 14, 7], 7, 1),
        "base_plus": (112, [2, 3, 16, 3], [12, 16, 20], [8, 4, 14, 7], 14, 2),
        "large": (144, [2, 6, 36, 4], [23, 33, 43], [8, 4, 16, 8], 7, 2),
    }[name]
    stages = [width * 2**stage for stage in range(4)]
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": width,
        "blocks_per_stage": blocks,
        "embed_dim_per_stage": stages,
        "num_attention_heads_per_stage": [heads * 2**stage for stage in range(4)],
        "global_attention_blocks": attention,
        "window_size_per_stage": windows,
        "window_positional_embedding_background_size": [background] * 2,
    }
    vision = {
        "model_type": "sam2_vision_model",
        "backbone_channel_list": stages[::-1],
        "backbone_config": backbone,
    }
    model = Sam2VideoModel(Sam2VideoConfig(vision_config=vision))
    decoder: Any = model.mask_decoder
    decoder.pred_obj_score_head.proj_out.bias.data.fill_(5.0)
    return model


def _time(name: str, tracker: Tracker, frames: list[Frame], box: list[float]) -> dict[str, Any]:
    """Median time of a frame, ms, and in the note its share of CPU time, which other processes delay less."""
    tracker.prompt(frames[0], box=box)
    moments = _moments(frames)
    for frame in islice(moments, WARM_UP):
        tracker.track(frame)
    spent: list[tuple[float, float]] = []
    while len(spent) < LEAST or (sum(wall for wall, _ in spent) < SECONDS and len(spent) < MOST):
        frame = next(moments)
        began = time.perf_counter(), time.process_time()
        tracker.track(frame)
        spent.append((time.perf_counter() - began[0], time.process_time() - began[1]))
    wall, cpu = 1e3 * np.median(spent, axis=0)
    return {
        "name": f"trackers.{name}_ms",
        "value": float(wall),
        "unit": "ms",
        "goal": None,
        "holds": None,
        "note": f"one thread; {cpu:.1f} ms of CPU time",
    }


def _moments(frames: list[Frame]) -> Iterator[Frame]:
    """The episode forward and backward without end, a tenth of a second apart."""
    there_and_back = islice(cycle(chain(frames, reversed(frames))), 1, None)
    for index, frame in enumerate(there_and_back, start=1):
        yield replace(frame, stamp=index * 100_000_000)


def _growth(name: str) -> dict[str, Any]:
    """Of a fresh process, between frame 500 and frame 6,000."""
    answer = subprocess.run([sys.executable, __file__, name], capture_output=True, text=True, check=True)
    settled, end = map(float, answer.stdout.split())
    growth = end - settled
    return {
        "name": f"trackers.{name}_growth_mb",
        "value": growth,
        "unit": "MB",
        "goal": f"< {GOAL_GROWTH_MB:g}",
        "holds": growth < GOAL_GROWTH_MB,
        "note": f"resident at the end: {end:.0f} MB",
    }


def _resident_mb(name: str) -> tuple[float, float]:
    """Resident memory after 500 and after 6,000 frames."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    frames, box = record(Camera())
    tracker = make_tracker(name, device="cpu")
    tracker.prompt(frames[0], box=box)
    settled = 0.0
    for index, frame in enumerate(islice(_moments(frames), GROWTH_FRAMES), start=1):
        tracker.track(frame)
        if index == SETTLED:
            settled = _resident()
    return settled, _resident()


def _resident() -> float:
    """MB of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


if __name__ == "__main__":
    print(*_resident_mb(sys.argv[1]))
