import itertools
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from executor_rig import Rig

_DOMAINS = itertools.cycle(map(int, os.environ["RFS_TEST_DOMAINS"].split(",")))


@pytest.fixture
def rig() -> Iterator["Rig"]:
    """Everything around an executor node, on a ROS domain of its own."""
    from executor_rig import Rig

    made = Rig(domain=next(_DOMAINS))
    yield made
    made.close()
