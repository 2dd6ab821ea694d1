"""The `metadata.yaml` of a rosbag2 folder, version 9 (what Jazzy and Kilted write)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

_FOREVER = {"sec": 9223372036, "nsec": 854775807}


@dataclass(frozen=True)
class Topic:
    """One recorded topic. type: `package/msg/Name`; reliable and latched describe the offered QoS."""

    name: str
    type: str
    reliable: bool = True
    latched: bool = False
    type_hash: str = ""

    def with_hash(self, type_hash: str) -> "Topic":
        """The same topic with the hash of its type (`RIHS01_...`)."""
        return replace(self, type_hash=type_hash)

    def qos(self) -> list[dict[str, Any]]:
        """The offered QoS as rosbag2 writes it."""
        return [
            {
                "history": "keep_last",
                "depth": 1 if self.latched else 10,
                "reliability": "reliable" if self.reliable else "best_effort",
                "durability": "transient_local" if self.latched else "volatile",
                "deadline": _FOREVER,
                "lifespan": _FOREVER,
                "liveliness": "automatic",
                "liveliness_lease_duration": _FOREVER,
                "avoid_ros_namespace_conventions": False,
            }
        ]

    def channel_metadata(self) -> dict[str, str]:
        """What rosbag2 keeps beside an MCAP channel."""
        return {"offered_qos_profiles": _dump(self.qos()), "topic_type_hash": self.type_hash}

    @classmethod
    def from_channel(cls, name: str, message_type: str, metadata: Mapping[str, str]) -> "Topic":
        """The topic that `channel_metadata` came from."""
        profiles = yaml.safe_load(metadata.get("offered_qos_profiles", "")) or [{}]
        return cls(
            name,
            message_type,
            profiles[0].get("reliability", "reliable") == "reliable",
            profiles[0].get("durability") == "transient_local",
            metadata.get("topic_type_hash", ""),
        )


@dataclass
class BagMetadata:
    """What `metadata.yaml` says about a bag of one file. Times in ns since the epoch."""

    file: str
    topics: list[Topic]
    counts: Mapping[str, int] = field(default_factory=dict)
    start: int = 0
    end: int = 0
    custom: Mapping[str, str] = field(default_factory=dict)
    ros_distro: str = ""

    def information(self) -> dict[str, Any]:
        """The content below `rosbag2_bagfile_information`."""
        total = sum(self.counts.values())
        start, duration = {"nanoseconds_since_epoch": self.start}, {"nanoseconds": self.end - self.start}
        return {
            "version": 9,
            "storage_identifier": "mcap",
            "duration": duration,
            "starting_time": start,
            "message_count": total,
            "topics_with_message_count": [
                {"topic_metadata": _topic_entry(topic), "message_count": self.counts.get(topic.name, 0)}
                for topic in self.topics
            ],
            "compression_format": "",
            "compression_mode": "",
            "relative_file_paths": [self.file],
            "files": [
                {"path": self.file, "starting_time": start, "duration": duration, "message_count": total}
            ],
            "custom_data": dict(self.custom),
            "ros_distro": self.ros_distro,
        }

    def serialized(self) -> str:
        """`information` as YAML text: rosbag2 keeps a copy inside the MCAP file."""
        return _dump(self.information())

    def write(self, folder: Path) -> None:
        """Write `folder/metadata.yaml`, complete or not at all."""
        temporary = folder / "metadata.yaml.tmp"
        temporary.write_text(_dump({"rosbag2_bagfile_information": self.information()}))
        temporary.replace(folder / "metadata.yaml")


def _topic_entry(topic: Topic) -> dict[str, Any]:
    return {
        "name": topic.name,
        "type": topic.type,
        "serialization_format": "cdr",
        "offered_qos_profiles": topic.qos(),
        "type_description_hash": topic.type_hash,
    }


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # yaml-cpp reads them, people do not
        return True


def _dump(value: Any) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, default_flow_style=False)
