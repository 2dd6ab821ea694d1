"""Is a bag sound? `./rfs bags check` says what is wrong with one, in sentences."""

import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from mcap.exceptions import McapError
from mcap.reader import make_reader
from mcap.stream_reader import CRCValidationError

from rfs_teleop.bag_folders import mcap_file
from rfs_teleop.bag_reader import Bag
from rfs_teleop.mcap_contents import Contents
from rfs_teleop.mcap_scan import scan
from rfs_teleop.regularity import REGULAR, Regularity, stamp_of

_JUMP = 100_000_000  # ns that arrival times may run backwards: topics are fetched in turns
_EPISODE = "rfs_episode"
_ACTIONS, _CLOUDS = "/rfs/policy_action", "/camera/points"


def check(path: Path) -> list[str]:
    """What is wrong with a bag; empty for a sound one.

    Raises:
        ValueError: a bag that this project does not read.
    """
    file = mcap_file(path)
    try:
        with file.open("rb") as stream:
            contents = scan(stream)
    except ValueError as error:
        return [f"it is damaged: {error}"]
    if not contents.finished:
        return ["its recorder did not come to the end: repair it with './rfs bags recover'"]
    if all(entry.name != _EPISODE for _, entry in contents.metadata):
        raise ValueError("it carries no contract of an episode: another program recorded it")
    problems = [*_index_problems(file, contents), *_count_problems(path, contents)]
    return problems + list(_content_problems(file, contents))


def _index_problems(file: Path, contents: Contents) -> Iterator[str]:
    """By the index, as other programs read; with all checksums."""
    with file.open("rb") as stream:
        try:
            indexed = sum(1 for _ in make_reader(stream, validate_crcs=True).iter_messages())
        except (McapError, CRCValidationError, struct.error) as error:
            yield f"its index is damaged: {error}"
            return
    if indexed != contents.counts.total():
        yield f"its index leads to {indexed} of {contents.counts.total()} messages"


def _count_problems(path: Path, contents: Contents) -> Iterator[str]:
    counts, texts = contents.counts_by_topic(), contents.texts()
    for topic, count in counts.items():
        received, lost = int(texts.get(f"received {topic}", count)), int(texts.get(f"lost {topic}", 0))
        if received != count:
            yield f"{topic}: {count} of {received} received messages were written"
        if lost:
            yield f"{topic}: {lost} messages were lost before they reached the recorder"
    if path.is_dir():
        yield from _metadata_problems(path / "metadata.yaml", counts)


def _metadata_problems(file: Path, counts: dict[str, int]) -> Iterator[str]:
    if not file.is_file():
        yield "metadata.yaml is missing: './rfs bags recover' writes it"
        return
    try:
        information: Any = yaml.safe_load(file.read_text())["rosbag2_bagfile_information"]
        entries = information["topics_with_message_count"]
        told = {entry["topic_metadata"]["name"]: entry["message_count"] for entry in entries}
    except (yaml.YAMLError, KeyError, TypeError) as error:
        what = type(error).__name__
        yield f"metadata.yaml cannot be read ({what}): remove it, and './rfs bags recover' writes it"
        return
    wrong = [topic for topic in counts if told.get(topic) != counts[topic]]
    if wrong:
        yield f"metadata.yaml has other counts than the file for {', '.join(wrong)}"


def _content_problems(file: Path, contents: Contents) -> Iterator[str]:
    texts, counts = contents.texts(), Counter(contents.counts_by_topic())
    for topic in REGULAR:
        if not counts[topic]:
            yield f"there is nothing on {topic}"
    regularity = Regularity(realtime=texts.get("sim_time") != "lockstep")
    latest, clouds, actions = 0, set(), []
    for topic, log_time, data in _raw(file):
        if latest - log_time > _JUMP:
            yield f"the recorder's clock jumped back by {(latest - log_time) / 1e9:.2f} s"
            latest = log_time
        latest = max(latest, log_time)
        regularity.take(topic, log_time, data)
        if topic == _CLOUDS:
            clouds.add(stamp_of(data))
        elif topic == _ACTIONS:
            actions.append(_observation_stamp(data))
    yield from regularity.problems()
    first = min(clouds, default=-1)  # the first actions may answer a cloud from before the recording
    blind = sum(stamp not in clouds and stamp > first for stamp in actions)
    if blind:
        yield f"{blind} of {len(actions)} policy actions answer a cloud that is not in the bag"


def _raw(file: Path) -> Iterator[tuple[str, int, bytes]]:
    for topic, message in Bag(file).raw_messages():
        yield topic, message.log_time, message.data


def _observation_stamp(data: bytes) -> int:
    """Of a serialized PolicyAction: behind the header."""
    order = "<" if data[1] & 1 else ">"
    length = struct.unpack_from(f"{order}I", data, 12)[0]
    seconds, nanoseconds = struct.unpack_from(f"{order}iI", data, (16 + length + 3) // 4 * 4)
    return seconds * 1_000_000_000 + nanoseconds
