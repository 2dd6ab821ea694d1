"""Bags: what is written comes back, through our reader and through rosbags, finished or cut off anywhere."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.records import MessageIndex
from rfs_teleop.append_file import AppendFile
from rfs_teleop.bag import BagError, BagWriter
from rfs_teleop.bag_metadata import Topic
from rfs_teleop.bag_reader import Bag
from rfs_teleop.bag_repair import repair, repair_file, unfinished
from rfs_teleop.definitions import Definition
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

STORE = get_typestore(Stores.ROS2_JAZZY)
String = STORE.types["std_msgs/msg/String"]
STRING = Definition("std_msgs/msg/String", "string data\n", STORE.hash_rihs01("std_msgs/msg/String"))
DEFINITIONS = {STRING.type: STRING}
TOPICS = [Topic("/a", STRING.type), Topic("/b", STRING.type, reliable=False), Topic("/quiet", STRING.type)]
ZSTD = b"\x28\xb5\x2f\xfd"  # the magic number with which a chunk's content begins
# Other processes import from where this one does.
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}


def cdr(text: str) -> bytes:
    return bytes(STORE.serialize_cdr(String(text), STRING.type))


def write_bag(folder: Path, texts: list[tuple[str, str]], flush_every: int = 3) -> BagWriter:
    bag = BagWriter(folder, TOPICS, DEFINITIONS, {"object": "mug", "seed": "7"})
    for index, (topic, text) in enumerate(texts):
        bag.write(topic, cdr(text), 1000 + index)
        if index % flush_every == 0:
            bag.flush()
    return bag


def read(path: Path) -> list[tuple[str, str]]:
    return [(message.topic, message.message.data) for message in Bag(path).messages()]


def read_with_rosbags(path: Path) -> list[tuple[str, str]]:
    with AnyReader([path]) as reader:
        return [(c.topic, reader.deserialize(raw, c.msgtype).data) for c, _, raw in reader.messages()]


texts = st.lists(st.tuples(st.sampled_from(["/a", "/b"]), st.text(max_size=20)), min_size=1, max_size=12)


@given(texts)
@settings(max_examples=20, deadline=None)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, sent: list[tuple[str, str]]) -> None:
    folder = tmp_path_factory.mktemp("bags") / "episode"
    write_bag(folder, sent).close({"outcome": "success"})
    assert read(folder) == sent
    assert read_with_rosbags(folder) == sent
    contract = Bag(folder).contract
    assert {"object": "mug", "seed": "7", "outcome": "success"}.items() <= contract.items()
    assert contract["written /a"] == str(sum(topic == "/a" for topic, _ in sent))


def test_metadata_has_the_fields_of_rosbag2(tmp_path: Path) -> None:
    write_bag(tmp_path / "episode", [("/a", "x"), ("/a", "y"), ("/b", "z")]).close({"outcome": "failure"})
    text = (tmp_path / "episode/metadata.yaml").read_text()
    information = yaml.safe_load(text)["rosbag2_bagfile_information"]
    topics = information["topics_with_message_count"]
    counts = {topic["topic_metadata"]["name"]: topic["message_count"] for topic in topics}
    assert counts == {"/a": 2, "/b": 1, "/quiet": 0}
    assert information["version"] == 9
    assert information["relative_file_paths"] == ["episode_0.mcap"]
    assert information["duration"]["nanoseconds"] == 2
    assert {"object": "mug", "seed": "7", "outcome": "failure"}.items() <= information["custom_data"].items()
    qos = topics[1]["topic_metadata"]["offered_qos_profiles"][0]
    assert qos["reliability"] == "best_effort"


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_file_cut_anywhere_keeps_its_complete_chunks(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    sent = [("/a" if i % 2 else "/b", f"message {i}") for i in range(9)]
    folder = tmp_path_factory.mktemp("cut") / "episode"
    bag = write_bag(folder, sent)
    bag.close()
    whole = bag.path.read_bytes()
    cut = data.draw(st.integers(200, len(whole) - 1))
    bag.path.write_bytes(whole[:cut])
    (folder / "metadata.yaml").unlink()
    before = read(folder)
    assert before == sent[: len(before)]
    assert unfinished(folder)
    metadata = repair(folder)
    assert not unfinished(folder)
    assert read(folder) == before
    assert sum(metadata.counts.values()) == len(before)
    if before:
        assert read_with_rosbags(folder) == before


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_file_whose_end_is_zeros_keeps_its_complete_chunks(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """As a power loss may leave it: the size is on disk, the newest pages are not."""
    sent = [("/a" if i % 2 else "/b", f"message {i}") for i in range(9)]
    folder = tmp_path_factory.mktemp("zeros") / "episode"
    bag = write_bag(folder, sent)
    bag.flush()
    whole = bag.path.read_bytes()
    bag.close()
    (folder / "metadata.yaml").unlink()
    zeroed = data.draw(st.integers(whole.index(ZSTD), len(whole) - 1))
    bag.path.write_bytes(whole[:zeroed].ljust(len(whole) + data.draw(st.sampled_from([0, 5000])), b"\0"))
    repair(folder)
    kept = read(folder)
    assert kept == sent[: len(kept)]
    if kept:
        assert read_with_rosbags(folder) == kept
    bag.path.write_bytes(whole[:zeroed])  # no less than of a file that ends there
    assert len(kept) >= len(read(folder))


def test_an_index_with_zeros_is_written_anew(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "episode", [("/a", "x"), ("/a", "y"), ("/a", "z")])
    bag.flush()
    whole = bag.path.read_bytes()
    bag.close()
    (bag.folder / "metadata.yaml").unlink()
    bag.path.write_bytes(whole[:-20] + bytes(20))  # 16 of them are of the last message: its time and place
    repair(bag.folder)
    indices = [record.records for record in Bag(bag.folder).records() if isinstance(record, MessageIndex)]
    assert [time for index in indices for time, _ in index] == [1000, 1001, 1002]


def test_damage_before_other_messages_is_told(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "episode", [("/a", f"message {i}") for i in range(9)])
    bag.flush()
    whole = bytearray(bag.path.read_bytes())
    bag.close()
    inside = whole.index(ZSTD) + len(ZSTD)
    whole[inside : inside + 20] = bytes(20)
    bag.path.write_bytes(whole)
    with pytest.raises(ValueError, match=r"record at byte \d+ is damaged"):
        repair(bag.folder)


def test_repair_leaves_a_complete_file_alone(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "episode", [("/a", "x")])
    bag.close()
    whole = bag.path.read_bytes()
    assert repair_file(bag.path).finished
    assert bag.path.read_bytes() == whole


def test_repair_refuses_other_files(tmp_path: Path) -> None:
    (tmp_path / "x.mcap").write_bytes(b"something else")
    with pytest.raises(ValueError, match="not an MCAP file"):
        repair(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no \.mcap file"):
        repair(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="no bag at"):
        Bag(tmp_path / "nowhere")


KILLED = """
import sys
from pathlib import Path
from test_bag import write_bag
write_bag(Path(sys.argv[1]), [("/a", "kept"), ("/b", "also kept"), ("/a", "kept too")], flush_every=1)
print("written", flush=True)
sys.stdin.read()
"""


def test_a_killed_recorder_leaves_a_readable_bag(tmp_path: Path) -> None:
    folder = tmp_path / "episode"
    command = [sys.executable, "-c", KILLED, str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        with pytest.raises(ValueError, match="still recording"):
            repair(folder)
        process.send_signal(signal.SIGKILL)
    assert read(folder) == [("/a", "kept"), ("/b", "also kept"), ("/a", "kept too")]
    repair(folder)
    assert read_with_rosbags(folder) == read(folder)
    assert Bag(folder).contract["object"] == "mug"


def fill_disk(folder: str) -> None:
    """Runs in its own process: a limit on the file size stands for a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    bag = BagWriter(Path(folder), TOPICS, DEFINITIONS, {"object": "mug"})
    bag.write("/a", cdr("fits"), 1)
    bag.flush()
    bag.write("/a", bytes(range(256)) * 100 + bytes(hash(str(i)) % 256 for i in range(40_000)), 2)
    with pytest.raises(BagError, match="free some space"):
        bag.flush()
    with pytest.raises(BagError, match="free some space"):
        bag.write("/a", cdr("more"), 3)
    bag.close({"outcome": "success", "notes": "lifted"})
    assert bag.written == {"/a": 1}


def test_a_full_disk_keeps_what_was_written(tmp_path: Path) -> None:
    folder = tmp_path / "episode"
    code = f"from test_bag import fill_disk; fill_disk({str(folder)!r})"
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRONMENT)
    assert read(folder) == [("/a", "fits")]
    assert read_with_rosbags(folder) == [("/a", "fits")]


def test_a_disk_that_is_full_at_the_end_leaves_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last state that is kept is not the one at which the operator saw a success."""
    bag = write_bag(tmp_path / "episode", [("/a", "kept"), ("/a", "not lifted yet"), ("/a", "lifted")])
    append = AppendFile.append

    def refuse_once(*_: object) -> None:
        monkeypatch.setattr(AppendFile, "append", append)
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(AppendFile, "append", refuse_once)
    bag.close({"outcome": "success", "notes": "well done"})
    assert read(bag.folder) == [("/a", "kept")]
    contract = Bag(bag.folder).contract
    assert contract["outcome"] == "unknown"
    assert contract["notes"].startswith("well done; cannot write the bag")
    assert "free some space" in contract["notes"]
