"""Whether the tensors of a checkpoint are what its settings ask for, in finite numbers. No torch."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rfs_policy.layout import Layout

Shapes = dict[str, tuple[int, ...]]


def require_shapes(tensors: Mapping[str, NDArray[Any]], wanted: Shapes, what: str) -> None:
    """Every wanted tensor, of its shape, and no other.

    Raises:
        ValueError: naming a tensor of `what` that is missing, of another shape, or not wanted.
    """
    found = {name: tensor.shape for name, tensor in tensors.items()}
    for name in sorted({**wanted, **found}):
        if wanted.get(name) != found.get(name):
            raise ValueError(
                f"{what}: tensor '{name}' is {found.get(name) or 'missing'}, its settings ask for "
                f"{wanted.get(name) or 'none'}: train it again"
            )


def require_finite(tensors: Mapping[str, NDArray[Any]], what: str) -> None:
    """Finite numbers only.

    Raises:
        ValueError: naming a tensor of `what` that has another one.
    """
    for name in sorted(tensors):
        if not np.isfinite(tensors[name]).all():
            raise ValueError(f"{what}: tensor '{name}' has a number that is not finite: train it again")


def network_shapes(layout: Layout, network: Mapping[str, Any]) -> Shapes:
    """Shapes of the tensors of a `FlowNetwork`, by name; `network`: its sizes, as a checkpoint holds them.

    Raises:
        KeyError, ValueError, TypeError: a size is missing or no number.
    """
    shapes: Shapes = {f"state_{part}": (layout.state_dim,) for part in ("mean", "std")}
    shapes |= {f"action_{part}": (layout.action_dim,) for part in ("mean", "std")}

    def add(name: str, inputs: int, outputs: int) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (outputs, inputs), (outputs,)

    widths, keypoints = (6, *map(int, network["point_widths"])), int(network["keypoints"])
    for i, (inputs, outputs) in enumerate(pairwise(widths)):
        add(f"points.layers.{i}", inputs, outputs)
    add("points.attention", widths[-1], keypoints)
    context, width = int(network["context_dim"]), int(network["velocity_width"])
    add("observation.0", widths[-1] + 3 * keypoints + layout.state_dim, context)
    add("observation.2", context, context)
    chunk = layout.horizon * layout.action_dim
    add("field_context", context, width)
    shapes["field_input.weight"] = (width, chunk + int(network["time_features"]))
    for i in range(int(network["velocity_depth"]) - 1):
        add(f"field_hidden.{i}", width, width)
    add("field_output", width, chunk)
    return shapes
