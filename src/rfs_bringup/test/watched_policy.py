"""The policy node as it is, except that it keeps on disk what its policy is shown and answers.

Run as a program with a folder and then a node's arguments.
"""

import itertools
import sys
from pathlib import Path

import numpy as np
from rfs_policy.nodes import policy_node
from rfs_policy.policy import FlowPolicy, PolicyOutput


def watch(folder: Path) -> None:
    """Write `N.npz` for each decision: cloud (N, 3), state (S,), noise and base_action (H, D)."""
    act, numbers = FlowPolicy.act, itertools.count()

    def watched(self: FlowPolicy, cloud, state, noise=None) -> PolicyOutput:
        output = act(self, cloud, state, noise)
        shown = {"cloud": cloud, "state": state, "noise": output.noise, "base_action": output.base_action}
        np.savez(folder / f"{next(numbers)}.npz", **{name: array[0] for name, array in shown.items()})
        return output

    FlowPolicy.act = watched


if __name__ == "__main__":
    watch(Path(sys.argv.pop(1)))
    sys.exit(policy_node.main())
