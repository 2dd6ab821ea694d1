"""Published weights: fetched from a server like the hub, resumed, checked; what is said when that fails."""

import fcntl
import hashlib
import shutil
from collections.abc import Iterator
from email.message import Message
from io import BytesIO
from pathlib import Path
from urllib.request import Request

import numpy as np
import pytest
from hub_server import Hub, serve
from rfs_reward.trackers.sam2 import Sam2Tracker
from rfs_reward.weights import PUBLISHED, Published, default_folder, find_weights
from rfs_reward.weights_command import main
from rfs_reward.weights_download import FetchError, _Redirects
from sam2_rig import save_tiny_model

NAME = "sam2.1-tiny"
BASE = "/facebook/sam2.1-hiera-tiny/resolve/de431c4043854a71d8101e17995dfe596bf101a5"
CONTENT = np.random.default_rng(0).bytes(300_000)
FILES = {f"{BASE}/config.json": b"{}", f"{BASE}/model.safetensors": CONTENT}


def sums(files: dict[str, bytes]) -> dict[str, str]:
    return {path.rpartition("/")[2]: hashlib.sha256(content).hexdigest() for path, content in files.items()}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where weights go by default."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return default_folder(NAME)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Hub]:
    """A hub whose files stand in for the published ones: it has other content, hence other sums."""
    with serve(Hub(dict(FILES))) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        known = PUBLISHED[NAME]
        monkeypatch.setitem(PUBLISHED, NAME, Published(known.repository, known.revision, sums(FILES)))
        yield server


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


WHOLE = {"config.json": b"{}", "model.safetensors": CONTENT}


def test_fetched_weights_are_found_by_name(
    folder: Path, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([NAME]) == 0
    assert contents(folder) == WHOLE
    assert find_weights(NAME) == folder
    assert capsys.readouterr().out.count("as published") == 2
    assert [wanted for _, wanted in hub.asked] == ["", ""]


def test_what_is_here_is_checked_and_not_fetched_again(folder: Path, hub: Hub) -> None:
    assert main([NAME]) == 0
    asked = len(hub.asked)
    assert main([NAME]) == 0
    assert len(hub.asked) == asked
    (folder / "model.safetensors").write_bytes(CONTENT[:-1])
    assert main([NAME]) == 0
    assert contents(folder) == WHOLE
    assert len(hub.asked) == asked + 1


def test_another_folder(tmp_path: Path, hub: Hub) -> None:
    assert main([NAME, "--to", str(tmp_path / "a" / "b")]) == 0
    assert contents(tmp_path / "a" / "b") == WHOLE


def test_a_cut_is_taken_up_where_it_was(folder: Path, hub: Hub) -> None:
    hub.cuts = [2, 100_000, 50_000]
    assert main([NAME]) == 0
    assert contents(folder) == WHOLE
    assert [wanted for _, wanted in hub.asked[1:]] == ["", "bytes=100000-", "bytes=150000-"]


def test_the_next_start_goes_on_where_the_last_one_stopped(
    folder: Path, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.cuts = [2, 100_000, 0]
    assert main([NAME]) == 1
    assert (
        "the connection was cut off (0 MB are kept, the next start goes on there)" in capsys.readouterr().err
    )
    assert contents(folder)["model.safetensors.part"] == CONTENT[:100_000]
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors is missing"):
        Sam2Tracker(NAME, device="cpu")
    assert main([NAME]) == 0
    assert contents(folder) == WHOLE
    assert hub.asked[-1][1] == "bytes=100000-"


def test_a_server_without_ranges_begins_anew(folder: Path, hub: Hub) -> None:
    hub.cuts, hub.ranges = [2, 100_000], False
    assert main([NAME]) == 0
    assert contents(folder) == WHOLE


@pytest.mark.parametrize("changed", [CONTENT[:-1] + b"x", CONTENT[:-1], CONTENT + b"x", b""])
def test_other_content_is_thrown_away(
    folder: Path, hub: Hub, capsys: pytest.CaptureFixture[str], changed: bytes
) -> None:
    hub.files[f"{BASE}/model.safetensors"] = changed
    assert main([NAME]) == 1
    error = capsys.readouterr().err
    assert "is not what was published" in error
    assert hashlib.sha256(changed).hexdigest() in error
    assert list(contents(folder)) == ["config.json"]


def test_a_part_that_is_longer_than_the_file(
    folder: Path, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.mkdir(parents=True)
    (folder / "model.safetensors.part").write_bytes(CONTENT + b"x")
    assert main([NAME]) == 1
    assert "delete the .part file" in capsys.readouterr().err


def test_a_start_that_ended_before_the_last_step_is_taken_up(folder: Path, hub: Hub) -> None:
    """All bytes were here, under the partial file's name; the configuration's sum is not even known."""
    known = PUBLISHED[NAME]
    sha256 = {**known.sha256, "config.json": ""}
    folder.mkdir(parents=True)
    for name, content in WHOLE.items():
        (folder / f"{name}.part").write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PUBLISHED, NAME, Published(known.repository, known.revision, sha256))
        assert main([NAME]) == 0
    assert contents(folder) == WHOLE


def test_another_part_than_was_asked_for_is_not_appended(
    folder: Path, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.cuts, hub.shift = [2, 100_000], 1
    assert main([NAME]) == 1
    assert "instead of what follows byte 100000" in capsys.readouterr().err
    assert contents(folder)["model.safetensors.part"] == CONTENT[:100_000]


def test_only_the_web_is_asked(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", tmp_path.as_uri())
    assert main([NAME]) == 1
    assert "HF_ENDPOINT begins with https://" in capsys.readouterr().err


def test_an_encrypted_address_does_not_lead_to_an_open_one() -> None:
    follow, headers = _Redirects().redirect_request, Message()
    request = Request("https://hub/a")
    assert follow(request, BytesIO(), 302, "Found", headers, "https://cdn/a").full_url == "https://cdn/a"
    with pytest.raises(FetchError, match="http://cdn/a, which is not encrypted"):
        follow(request, BytesIO(), 302, "Found", headers, "http://cdn/a")


def test_a_missing_file_is_named(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    del hub.files[f"{BASE}/model.safetensors"]
    assert main([NAME]) == 1
    assert "model.safetensors is refused by the server: 404" in capsys.readouterr().err


def test_a_web_page_is_not_taken_for_weights(
    folder: Path, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.web_page = True
    assert main([NAME]) == 1
    assert "answers with a web page" in capsys.readouterr().err
    assert contents(folder) == {"config.json.part": b""}


def test_a_file_of_unknown_size_is_not_trusted(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.sizes = False
    assert main([NAME]) == 1
    assert "without its size" in capsys.readouterr().err


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "http://rfs.invalid"])
def test_offline_says_how_to_go_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], endpoint: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    assert main([NAME]) == 1
    error = capsys.readouterr().err
    assert "cannot be reached" in error
    assert f"By hand: copy config.json and model.safetensors of {PUBLISHED[NAME].repository}" in error
    assert str(folder) in error


def test_files_copied_by_hand_are_checked_offline(
    folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir(parents=True)
    for name, content in WHOLE.items():
        (folder / name).write_bytes(content)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert main([NAME]) == 0


def test_a_full_disk_is_said_before_anything_is_fetched(
    folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    assert main([NAME]) == 1
    assert "needs 0 MB more" in capsys.readouterr().err
    assert contents(folder) == {"config.json": b"{}", "model.safetensors.part": b""}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_disk_that_fills_up_meanwhile(folder: Path, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    folder.mkdir(parents=True)
    (folder / "model.safetensors.part").symlink_to("/dev/full")
    assert main([NAME]) == 1
    assert "is full: make room" in capsys.readouterr().err


def test_two_processes_do_not_write_the_same_file(
    folder: Path, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.mkdir(parents=True)
    with (folder / "config.json.part").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert main([NAME]) == 1
    assert "fetched by another process" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made(tmp_path: Path, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main([NAME, "--to", str(tmp_path / "file" / "folder")]) == 1
    assert "Not a directory" in capsys.readouterr().err


def test_unknown_names_are_answered_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        main(["sam2.1-huge"])
    assert error.value.code == 2
    message = capsys.readouterr().err
    assert all(name in message for name in PUBLISHED)


def test_published_models_are_pinned() -> None:
    assert list(PUBLISHED) == ["sam2.1-tiny", "sam2.1-small", "sam2.1-base-plus", "sam2.1-large"]
    assert all(len(published.revision) == 40 for published in PUBLISHED.values())
    assert all(len(published.sha256["model.safetensors"]) == 64 for published in PUBLISHED.values())


def test_a_fetched_model_tracks(
    tmp_path: Path, folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the server to a tracker: SAM2's own modules, and a configuration whose sum is not known."""
    save_tiny_model(tmp_path / "model")
    hub.files = {f"{BASE}/{path.name}": path.read_bytes() for path in (tmp_path / "model").iterdir()}
    known = PUBLISHED[NAME]
    published = Published(known.repository, known.revision, {**sums(hub.files), "config.json": ""})
    monkeypatch.setitem(PUBLISHED, NAME, published)
    assert main([NAME]) == 0
    assert Sam2Tracker(NAME, device="cpu").name == f"sam2:{NAME}"
