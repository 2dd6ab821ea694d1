"""`./rfs bags`: what it says of sound, damaged, cut off and foreign bags, and its exit status."""

from pathlib import Path

import pytest
from mcap.reader import make_reader
from rfs_teleop.bag_folders import find_bags
from rfs_teleop.bag_reader import Bag
from rfs_teleop.bags_command import main
from rosbags.rosbag2 import StoragePlugin, Writer
from test_bag import STORE, STRING, cdr, read, write_bag

SENT = [("/a", "x"), ("/a", "y"), ("/b", "z")]


@pytest.fixture
def session(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        write_bag(tmp_path / "session" / name, SENT).close({"outcome": "success", "received /a": "2"})
    return tmp_path / "session"


def foreign(folder: Path, plugin: StoragePlugin) -> Path:
    with Writer(folder, version=9, storage_plugin=plugin) as writer:
        connection = writer.add_connection("/a", STRING.type, typestore=STORE)
        writer.write(connection, 1, cdr("x"))
    return folder


def test_bags_of_a_session_are_found_from_above(session: Path) -> None:
    assert find_bags([session.parent]) == [session / "one", session / "two"]
    assert find_bags([session, session / "one"]) == [session / "one", session / "two"]


def test_info_shows_contract_and_counts(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(session / "one")]) == 0
    shown = capsys.readouterr().out
    assert "3 messages" in shown
    assert "success" in shown
    assert "std_msgs/msg/String" in shown


def problems(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["check", str(path)]) == 1
    return capsys.readouterr().out


def test_check_finds_what_is_missing(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = problems(session, capsys)
    assert "nothing on /camera/points" in shown
    assert "0 of 2 bags are sound" in shown
    assert "damaged" not in shown


def test_check_finds_lost_messages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = {"outcome": "success", "received /a": "5", "lost /b": "7"}
    write_bag(tmp_path / "bag", SENT).close(result)
    shown = problems(tmp_path / "bag", capsys)
    assert "/a: 2 of 5 received messages were written" in shown
    assert "/b: 7 messages were lost" in shown


def test_check_finds_every_flipped_byte_of_a_message(
    session: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = next((session / "one").glob("*.mcap"))
    whole = file.read_bytes()
    with file.open("rb") as stream:
        summary = make_reader(stream).get_summary()
    assert summary is not None
    chunk = summary.chunk_indexes[0]
    place = chunk.chunk_start_offset + chunk.chunk_length - 2
    file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    assert "damaged" in problems(session / "one", capsys)
    assert main(["info", str(session)]) == 1
    shown = capsys.readouterr()
    assert "damaged" in shown.err
    assert "3 messages" in shown.out


def test_check_compares_with_metadata(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = session / "one/metadata.yaml"
    file.write_text(file.read_text().replace("message_count: 2", "message_count: 3"))
    assert "other counts than the file for /a" in problems(session / "one", capsys)
    file.unlink()
    assert "metadata.yaml is missing" in problems(session / "one", capsys)


def test_recover_mends_all_bags_below(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        file = next((session / name).glob("*.mcap"))
        file.write_bytes(file.read_bytes()[:-100])
        (session / name / "metadata.yaml").unlink()
    assert "did not come to the end" in problems(session, capsys)
    assert main(["recover", str(session)]) == 0
    assert capsys.readouterr().out.count("repaired, 3 messages") == 2
    assert "did not come to the end" not in problems(session, capsys)
    assert read(session / "one") == SENT
    assert Bag(session / "one").contract["outcome"] == "success"
    assert main(["recover", str(session)]) == 0
    assert capsys.readouterr().out.count("was whole") == 2


def test_foreign_bags_get_a_line_and_the_others_their_turn(
    session: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign(session / "lite", StoragePlugin.SQLITE3)
    foreign(session / "other", StoragePlugin.MCAP)
    (session / "text").mkdir()
    (session / "text/x.mcap").write_text("nothing")
    assert main(["check", str(session)]) == 1
    errors = capsys.readouterr().err
    assert "an SQLite bag: convert it" in errors
    assert "another program recorded it" in errors
    assert main(["info", str(session / "other"), str(session / "one")]) == 0
    assert main(["info", str(session / "lite"), str(session / "one")]) == 1
    assert "3 messages" in capsys.readouterr().out
    assert main(["recover", str(session / "text")]) == 1
    assert "not an MCAP file" in capsys.readouterr().err


def test_paths_without_bags_are_misuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(tmp_path / "nowhere")]) == 2
    assert main(["check", str(tmp_path)]) == 2
    assert "no bag in" in capsys.readouterr().err
