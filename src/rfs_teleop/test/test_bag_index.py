"""Reading through a bag's index gives what reading all of it gives; a bag that is not whole is refused."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rfs_teleop.bag import BagWriter
from rfs_teleop.bag_index import IndexedBag
from rfs_teleop.bag_metadata import Topic
from rfs_teleop.bag_reader import Bag
from rfs_teleop.definitions import Definition
from rosbags.typesys import Stores, get_typestore

STORE = get_typestore(Stores.ROS2_JAZZY)
NAME = "std_msgs/msg/String"
TOPICS = ("/a", "/b", "/pictures")

sequences = st.lists(st.tuples(st.sampled_from(TOPICS), st.text(max_size=20)), max_size=20)


def write(folder: Path, sent: list[tuple[str, str]], definition: str = "string data\n") -> Path:
    definitions = {NAME: Definition(NAME, definition, STORE.hash_rihs01(NAME))}
    bag = BagWriter(folder, [Topic(name, NAME) for name in TOPICS], definitions, {"object": "mug"})
    for number, (topic, text) in enumerate(sent):
        bag.write(topic, bytes(STORE.serialize_cdr(STORE.types[NAME](text), NAME)), 1000 + number)
        if number % 3 == 0:
            bag.flush()
    bag.close({"outcome": "success"})
    return folder


@given(sequences, st.sets(st.sampled_from(TOPICS)))
@settings(max_examples=25, deadline=None)
def test_chosen_topics_come_back_in_order(tmp_path_factory, sent, topics):
    folder = write(tmp_path_factory.mktemp("bags") / "episode", sent)
    with IndexedBag(folder) as bag:
        found = [(raw.topic, raw.log_time, bag.decode(raw).data) for raw in bag.raw(topics)]
        assert bag.contract["object"] == "mug"
        assert bag.contract["outcome"] == "success"
        assert bag.name == "episode"
    assert found == [(m.topic, m.log_time, m.message.data) for m in Bag(folder).messages(topics)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    folder = write(tmp_path_factory.mktemp("bags") / "episode", [("/a", "text")] * 9)
    return (folder / "episode_0.mcap").read_bytes()


@given(st.floats(0, 1, exclude_max=True))
@settings(max_examples=30, deadline=None)
def test_a_bag_cut_off_anywhere_is_refused(tmp_path_factory, whole, share):
    file = tmp_path_factory.getbasetemp() / "cut.mcap"
    file.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match="recover"):
        IndexedBag(file)


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
@settings(max_examples=300, deadline=None)
def test_a_damaged_byte_is_told_or_changes_no_message(tmp_path_factory, whole, share, change):
    file, content = tmp_path_factory.getbasetemp() / "damaged.mcap", bytearray(whole)
    content[int(share * len(content))] ^= change
    file.write_bytes(content)
    try:
        with IndexedBag(file) as bag:
            found = [bag.decode(raw).data for raw in bag.raw(["/a"])]
    except ValueError:
        return
    assert found == ["text"] * 9


def test_definitions_in_another_language_are_told(tmp_path):
    with pytest.raises(ValueError, match="parse"):
        IndexedBag(write(tmp_path / "episode", [], "module a {\n  struct B { long x; };\n};\n"))


def test_bytes_that_are_no_message_are_told(tmp_path):
    folder = write(tmp_path / "episode", [("/a", "text")])
    with IndexedBag(folder) as bag:
        (raw,) = bag.raw(["/a"])
        broken = type(raw)(raw.topic, raw.log_time, raw.type, raw.data[:7])
        with pytest.raises(ValueError, match="damaged"):
            bag.decode(broken)
        with pytest.raises(ValueError, match="damaged"):
            _ = broken.stamp
