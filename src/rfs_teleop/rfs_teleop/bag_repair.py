"""Give a bag that was cut off (killed recorder, full disk) its index and metadata.yaml back.

An MCAP file without its end holds all complete chunks. Repair cuts the broken rest off and appends index and
footer in place, so that it needs a few kB and never copies messages.
"""

import errno
import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from mcap.data_stream import RecordBuilder

from rfs_teleop.bag_metadata import BagMetadata, Topic
from rfs_teleop.mcap_contents import Contents, ending, metadata_record
from rfs_teleop.mcap_scan import scan

_KILLED = {"outcome": "unknown", "notes": "the recorder did not come to its end"}


def unfinished(folder: Path) -> bool:
    """Whether a folder is a bag whose recorder did not come to its end."""
    return bool(list(folder.glob("*_0.mcap"))) and not (folder / "metadata.yaml").exists()


def repair(folder: Path) -> BagMetadata:
    """Repair a bag folder.

    Raises:
        FileNotFoundError: no MCAP file in it.
        ValueError: the file is no MCAP file, a chunk in it is damaged, or it is still being recorded.
    """
    files = sorted(folder.glob("*.mcap"))
    if not files:
        raise FileNotFoundError(f"{folder} holds no .mcap file: give the folder of a bag")
    contents = repair_file(files[0])
    metadata = metadata_of(files[0].name, contents)
    if not contents.finished or unfinished(folder):
        metadata.write(folder)
    return metadata


def metadata_of(file: str, contents: Contents) -> BagMetadata:
    """What metadata.yaml says about an MCAP file of this name."""
    schemas = {key: schema.name for key, schema in contents.schemas.items()}
    channels = contents.channels.values()
    return BagMetadata(
        file,
        [Topic.from_channel(c.topic, schemas[c.schema_id], c.metadata) for c in channels],
        contents.counts_by_topic(),
        contents.start_time,
        contents.end_time,
        contents.texts(),
        contents.texts().get("ros_distro", ""),
    )


def repair_file(path: Path, result: Mapping[str, str] = MappingProxyType(_KILLED)) -> Contents:
    """Append what an MCAP file lacks at its end; a complete file stays as it is.

    An episode that does not say how it ended gets `result`.
    """
    with path.open("r+b") as file:
        _require_unused(file)
        contents = scan(file)
        if not contents.finished:
            end = contents.end
            index = b""
            if contents.chunks:
                end, index = _last_index(contents)
            contents.end = end + len(index)
            records = index
            if "object" in contents.texts() and "outcome" not in contents.texts():
                records += metadata_record(contents, "rfs_result", result)
            text = metadata_of(path.name, contents).serialized()
            records += metadata_record(contents, "rosbag2", {"serialized_metadata": text})
            _append(file.fileno(), end, records + ending(contents))
    return contents


def _require_unused(file: BinaryIO) -> None:
    """A file that grows meanwhile would be destroyed."""
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            raise ValueError("another process is still recording it") from error


def _append(file: int, end: int, data: bytes) -> None:
    os.ftruncate(file, end)
    try:
        while data:
            written = os.pwrite(file, data, end)
            data, end = data[written:], end + written
    except OSError:
        os.ftruncate(file, end)
        raise


def _last_index(contents: Contents) -> tuple[int, bytes]:
    """Where to write what index, and which: only the last chunk can lack a part, if nothing follows."""
    index, messages = contents.chunks[-1], contents.last
    if index.message_index_offsets.keys() == messages.keys():
        return contents.end, b""
    builder = RecordBuilder()
    start = index.chunk_start_offset + index.chunk_length
    index.message_index_offsets.clear()
    for key, message_index in messages.items():
        index.message_index_offsets[key] = start + builder.count
        message_index.write(builder)
    index.message_index_length = builder.count
    return start, builder.end()
