"""Every test process has a ROS domain of its own, so that concurrent tests do not hear each other."""

import os
from pathlib import Path

#: Domains 0 to 101 are usable on every system; the lowest are left to people.
os.environ["ROS_DOMAIN_ID"] = str(10 + os.getpid() % 90)
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
# Processes that start together find each other in a second instead of four.
_DISCOVERY = Path(__file__).parent / "src/rfs_bringup/rfs_bringup/config/discovery.xml"
os.environ.setdefault("FASTDDS_DEFAULT_PROFILES_FILE", str(_DISCOVERY))
os.environ.setdefault("FASTRTPS_DEFAULT_PROFILES_FILE", str(_DISCOVERY))
