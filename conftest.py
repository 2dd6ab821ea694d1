"""Every test process has a ROS domain of its own, so that concurrent tests do not hear each other."""

import os

#: Domains 0 to 101 are usable on every system; the lowest are left to people.
os.environ["ROS_DOMAIN_ID"] = str(10 + os.getpid() % 90)
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
