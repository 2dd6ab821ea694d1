"""Record 640x480 clouds and images at 30 Hz with all small topics at 100 Hz, and see what is lost.

A second process publishes and the real recorder node records; then the bag is counted against what was sent.
In the same run the same messages go through this package's writer and through `rosbags`' own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from mcap.reader import make_reader
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from rfs_bringup.stack import middleware_variables
from rfs_teleop.bag import BagWriter
from rfs_teleop.bag_metadata import Topic
from rfs_teleop.definitions import definition
from rfs_teleop.episode_recorder import packaged_topics
from rosbags.rosbag2 import StoragePlugin, Writer

from rfs_msgs.srv import EndEpisode, StartEpisode

DOMAIN = "86"
FAST, CAMERA = 100.0, 30.0  # Hz
WIDTH, HEIGHT = 640, 480
_OWN = ("/rfs/episode", "/rfs/session", "/camera/color/extrinsics")  # latched: not sent regularly
_TICKS = os.sysconf("SC_CLK_TCK")
_PATIENCE = 30.0


def run(duration: float = 120.0) -> list[dict]:
    """Figures of one recording of `duration` s, and of both writers over 15 s of its messages."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("RFS_BENCH_FOLDER")) as folder:
        recording = record(duration, Path(folder))
    with tempfile.TemporaryDirectory(dir=os.environ.get("RFS_BENCH_FOLDER")) as folder:
        ours, theirs = write_speeds(Path(folder), 15.0)
    lost, rate = recording["sent"] - recording["kept"], recording["megabytes"] / recording["seconds"]
    note = (
        f"{recording['kept']} of {recording['sent']} messages in {recording['seconds']:.0f} s, "
        f"{rate:.0f} MB/s; clouds at {recording['camera_hz']:.1f} Hz, small topics at "
        f"{recording['fast_hz']:.1f} Hz; recorder {recording['cpu']:.0%} of a core, "
        f"publisher {recording['publisher_cpu']:.0%}"
    )
    return [
        _figure("recorder.lost", lost, "messages", "0", lost == 0, note),
        _figure("recorder.cpu", round(recording["cpu"], 3), "cores", None, None, "user and system time"),
        {
            **_figure("recorder.mb_per_s", round(ours, 1), "MB/s", ">= rosbags", ours >= theirs, "to disk"),
            "peer": round(theirs, 1),
            "ratio": ours / theirs,
        },
    ]


def _figure(name: str, value: float, unit: str, goal: str | None, holds: bool | None, note: str) -> dict:
    return {"name": name, "value": value, "unit": unit, "goal": goal, "holds": holds, "note": note}


# ---- the recorder against a publisher ----
def record(duration: float, folder: Path) -> dict[str, float]:
    """Run recorder and publisher; counts of the bag.

    Raises:
        RuntimeError: a process ended early, or the recorder refused.
    """
    environment = os.environ | middleware_variables(os.environ) | {"ROS_DOMAIN_ID": DOMAIN}
    os.environ.update(environment)
    node_command = [sys.executable, "-m", "rfs_teleop.nodes.recorder_node", "--ros-args", "-p"]
    recorder = subprocess.Popen([*node_command, f"bags:={folder}"], env=environment)
    publisher = subprocess.Popen(
        [sys.executable, __file__, "--publish", str(duration)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    client = _Client()
    try:
        assert publisher.stdin is not None
        assert publisher.stdout is not None
        if publisher.stdout.readline() != "ready\n":
            raise RuntimeError("the publisher did not find the recorder")
        bag = client.call(StartEpisode, "/rfs/episode/start", StartEpisode.Request(id="load", seed=-1)).bag
        before = _cpu_seconds(recorder.pid)
        publisher.stdin.write("go\n")
        publisher.stdin.flush()
        sent = json.loads(publisher.stdout.readline())
        used = _cpu_seconds(recorder.pid) - before
        client.call(EndEpisode, "/rfs/episode/stop", EndEpisode.Request())
    finally:
        client.close()
        publisher.communicate(timeout=_PATIENCE)  # closes its input, at which it ends
        recorder.send_signal(signal.SIGINT)
        recorder.wait(_PATIENCE)
    return {**_counts(Path(bag), sent), "cpu": used / sent["seconds"]}


def _counts(bag: Path, sent: dict[str, Any]) -> dict[str, float]:
    file = next(bag.glob("*.mcap"))
    with file.open("rb") as stream:  # reading all of it would take as long again: `./rfs bags check` does
        summary = make_reader(stream).get_summary()
    if summary is None or summary.statistics is None:
        raise RuntimeError(f"{file} has no index")
    written = summary.statistics.channel_message_counts
    kept = {channel.topic: written.get(key, 0) for key, channel in summary.channels.items()}
    counts: dict[str, int] = sent["counts"]
    camera = counts["/camera/points"] / sent["seconds"]
    return {
        "sent": sum(counts.values()),
        "kept": sum(min(kept[topic], count) for topic, count in counts.items()),
        "megabytes": sent["megabytes"],
        "seconds": sent["seconds"],
        "camera_hz": camera,
        "fast_hz": counts["/joint_states"] / sent["seconds"],
        "publisher_cpu": sent["cpu"],
    }


def _cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


class _Client:
    """Calls the recorder's services."""

    def __init__(self) -> None:
        rclpy.init()
        self._node = Node("bench_client")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)

    def call(self, kind: Any, name: str, request: Any) -> Any:
        client = self._node.create_client(kind, name)
        if not client.wait_for_service(_PATIENCE):
            raise RuntimeError(f"the recorder does not offer {name}")
        future = client.call_async(request)
        self._executor.spin_until_future_complete(future, _PATIENCE)
        response: Any = future.result()
        if response is None:
            raise RuntimeError(f"{name}: no answer")
        if not response.success:
            print(f"{name}: {response.message}", file=sys.stderr)
        return response

    def close(self) -> None:
        self._node.destroy_node()
        rclpy.shutdown()


# ---- the publisher ----
def publish(duration: float) -> None:
    """Wait for the recorder and for a line on stdin, then send for `duration` s at absolute deadlines."""
    rclpy.init()
    node = Node("bench_publisher")
    fast, camera = [], []
    for topic in packaged_topics():
        if topic.name in _OWN:
            continue
        policy = ReliabilityPolicy.RELIABLE if topic.reliable else ReliabilityPolicy.BEST_EFFORT
        qos = QoSProfile(depth=10, reliability=policy)
        publisher = node.create_publisher(_class_of(topic), topic.name, qos)
        (fast if topic.reliable else camera).append(
            (topic.name, publisher, serialize_message(_message(topic)))
        )
    while not all(publisher.get_subscription_count() for _, publisher, _ in fast + camera):
        time.sleep(0.05)
    print("ready", flush=True)
    sys.stdin.readline()
    report = _send(fast, camera, duration)
    time.sleep(1.0)
    print(json.dumps(report), flush=True)
    sys.stdin.readline()


def _send(fast: list, camera: list, duration: float) -> dict[str, Any]:
    counts = dict.fromkeys([name for name, _, _ in fast + camera], 0)
    volume, begin, used = 0, time.monotonic(), time.process_time()
    for when, group in _schedule(fast, camera, duration):
        delay = begin + when - time.monotonic()
        if delay > 0:
            time.sleep(delay)
        for name, publisher, data in group:
            publisher.publish(data)
            counts[name] += 1
            volume += len(data)
    seconds = time.monotonic() - begin
    used = (time.process_time() - used) / seconds
    return {"counts": counts, "seconds": seconds, "megabytes": volume / 1e6, "cpu": used}


def _schedule(fast: list, camera: list, duration: float) -> Iterator[tuple[float, list]]:
    times = [(number / FAST, fast) for number in range(int(duration * FAST))]
    times += [(number / CAMERA, camera) for number in range(int(duration * CAMERA))]
    return iter(sorted(times, key=lambda entry: entry[0]))


def _class_of(topic: Topic) -> Any:
    package, _, name = topic.type.split("/")
    return getattr(import_module(f"{package}.msg"), name)


def _message(topic: Topic) -> Any:
    """A message of the real size; camera data with the noise of a camera."""
    message = _class_of(topic)()
    rng = np.random.default_rng(0)
    if topic.name == "/camera/points":
        depth = (0.6 + rng.normal(0, 0.001, (HEIGHT, WIDTH))).astype(np.float32)
        v, u = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
        message.data = np.stack([(u - 320) * depth / 600, (v - 240) * depth / 600, depth], -1).tobytes()
    elif topic.name.endswith(("image_raw", "image_rect")):
        pixel = 3 if topic.name.endswith("raw") else 2
        message.data = rng.normal(128, 20, HEIGHT * WIDTH * pixel).astype(np.uint8).tobytes()
    elif topic.type == "sensor_msgs/msg/JointState":
        message.name, message.position = [f"joint_{i}" for i in range(23)], [0.1] * 23
    elif topic.name == "/rfs/policy_action":
        message.noise = message.base_action = message.residual = [0.1] * 44
    elif topic.name == "/rfs/executed_action":
        message.base_action = message.human_residual = message.executed = [0.1] * 22
    return message


# ---- both writers ----
def write_speeds(folder: Path, seconds: float) -> tuple[float, float]:
    """MB/s to disk of this package's writer and of `rosbags`' MCAP writer: the better of two turns each."""
    topics = [topic for topic in packaged_topics() if topic.name not in _OWN]
    data = {topic.name: serialize_message(_message(topic)) for topic in topics}
    fast = [(topic.name, None, data[topic.name]) for topic in topics if topic.reliable]
    camera = [(topic.name, None, data[topic.name]) for topic in topics if not topic.reliable]
    entries = [
        (name, int(when * 1e9), message)
        for when, group in _schedule(fast, camera, seconds)
        for name, _, message in group
    ]
    speeds: dict[Any, list[float]] = {_write_ours: [], _write_theirs: []}
    for number, write in itertools.product(range(2), speeds):
        target = folder / f"{write.__name__}{number}"
        os.sync()
        begin = time.monotonic()
        write(target, topics, entries)
        with next(target.glob("*.mcap")).open("rb") as file:
            os.fsync(file.fileno())
        speeds[write].append(sum(len(m) for _, _, m in entries) / 1e6 / (time.monotonic() - begin))
        shutil.rmtree(target)
    return max(speeds[_write_ours]), max(speeds[_write_theirs])


def _write_ours(folder: Path, topics: list[Topic], entries: list) -> None:
    bag = BagWriter(folder, topics, {topic.type: definition(topic.type) for topic in topics})
    for name, when, data in entries:
        bag.write(name, data, when + 1, when + 1)
    bag.close()


def _write_theirs(folder: Path, topics: list[Topic], entries: list) -> None:
    with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = {
            topic.name: writer.add_connection(
                topic.name,
                topic.type,
                msgdef=definition(topic.type).text,
                rihs01=definition(topic.type).type_hash,
            )
            for topic in topics
        }
        for name, when, data in entries:
            writer.write(connections[name], when + 1, data)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--publish", type=float, required=True, metavar="SECONDS")
    publish(parser.parse_args().publish)
