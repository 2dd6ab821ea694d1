"""ONNX graphs of the flow policy, built straight from a checkpoint's tensors: no torch, nothing exported
beforehand.

They compute what `network.FlowNetwork` computes (a test compares the two). The K Euler steps are unrolled,
and the features of each step's fixed flow time are folded into a bias.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from rfs_policy.checkpoint import Checkpoint
from rfs_policy.layout import STATE_PALM_POSITION, STATE_PALM_ROTATION
from rfs_policy.scales import PALM_SCALE, STATE_CLIP, WORKSPACE_CENTER, WORKSPACE_SCALE, time_frequencies

_OPSET = 17
_IR_VERSION = 9  # what the oldest supported onnxruntime reads


class Graph:
    """Collects nodes and constants; every method but `model` returns the name of its result.

    tensors: weights by name, of a checkpoint.
    """

    def __init__(self, tensors: Mapping[str, NDArray]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.weights = {name: t.astype(np.float32) for name, t in tensors.items()}

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, value: NDArray | float) -> str:
        name = f"constant_{len(self.constants)}"
        array = np.asarray(value)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def linear(self, x: str, layer: str, bias: bool = True) -> str:
        y = self.op("MatMul", x, self.constant(self.weights[f"{layer}.weight"].T))
        return self.op("Add", y, self.constant(self.weights[f"{layer}.bias"])) if bias else y

    def silu(self, x: str) -> str:
        return self.op("Mul", x, self.op("Sigmoid", x))

    def slice(self, x: str, start: int, stop: int) -> str:
        ends = [self.constant(np.array([i], np.int64)) for i in (start, stop, -1)]
        return self.op("Slice", x, *ends)

    def reshape(self, x: str, *shape: int) -> str:
        return self.op("Reshape", x, self.constant(np.array(shape, np.int64)))

    def model(self, inputs: dict[str, list], outputs: dict[str, list]) -> bytes:
        """The graph from inputs to results, shapes by name."""
        results = {self.op("Identity", name): shape for name, shape in outputs.items()}
        graph = helper.make_graph(
            self.nodes,
            "rfs_policy",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, s) for name, s in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, s) for name, s in results.items()],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
        model.ir_version = _IR_VERSION
        onnx.checker.check_model(model)
        return model.SerializeToString()


def encoder_graph(checkpoint: Checkpoint) -> bytes:
    """Model with inputs `cloud` (B, N, 3) and `state` (B, S) and one output: context (B, C)."""
    g, network = Graph(checkpoint.tensors), checkpoint.config["network"]
    x = g.op("Concat", point_features(g, len(network["point_widths"])), normalized_state(g), axis=-1)
    for layer in ("observation.0", "observation.2"):
        x = g.silu(g.linear(x, layer))
    inputs = {"cloud": ["B", "N", 3], "state": ["B", checkpoint.layout.state_dim]}
    return g.model(inputs, {x: ["B", network["context_dim"]]})


def push_graph(checkpoint: Checkpoint) -> bytes:
    """Model with inputs `context` (B, C) and `noise` (B, H, D) and one output: action chunk (B, H, D), m and
    rad.
    """
    g, layout, network = Graph(checkpoint.tensors), checkpoint.layout, checkpoint.config["network"]
    chunk, steps = layout.horizon * layout.action_dim, int(checkpoint.config["push_steps"])
    context = g.linear("context", "field_context")
    weight = g.weights["field_input.weight"]
    from_chunk, from_time = g.constant(weight[:, :chunk].T), weight[:, chunk:].T
    a = g.reshape("noise", 0, chunk)
    for k in range(steps):
        angles = k / steps * time_frequencies(network["time_features"])
        bias = np.concatenate([np.sin(angles), np.cos(angles)]) @ from_time
        x = g.op("Add", g.op("MatMul", a, from_chunk), g.op("Add", context, g.constant(bias)))
        x = g.silu(x)
        for i in range(network["velocity_depth"] - 1):
            x = g.op("Add", x, g.silu(g.linear(x, f"field_hidden.{i}")))
        a = g.op("Add", a, g.op("Mul", g.linear(x, "field_output"), g.constant(1.0 / steps)))
    a = g.reshape(a, -1, layout.horizon, layout.action_dim)
    a = g.op("Mul", a, g.constant(g.weights["action_std"]))
    a = g.op("Add", a, g.constant(g.weights["action_mean"]))
    shape = ["B", layout.horizon, layout.action_dim]
    return g.model({"context": ["B", network["context_dim"]], "noise": shape}, {a: shape})


def point_features(g: Graph, layers: int) -> str:
    """Features (B, F) of the inputs `cloud` and `state`; as `network.PointEncoder` with so many layers."""
    local = g.op("Div", _palm_frame(g), g.constant(PALM_SCALE))
    centered = g.op("Sub", "cloud", g.constant(np.array(WORKSPACE_CENTER)))
    x = g.op("Concat", g.op("Div", centered, g.constant(WORKSPACE_SCALE)), local, axis=-1)
    for i in range(layers):
        x = g.op("Relu", g.linear(x, f"points.layers.{i}"))
    attention = g.op("Transpose", g.linear(x, "points.attention"), perm=[0, 2, 1])
    keypoints = g.op("MatMul", g.op("Softmax", attention, axis=-1), local)
    return g.op("Concat", g.op("ReduceMax", x, axes=[1], keepdims=0), g.reshape(keypoints, 0, -1), axis=-1)


def _palm_frame(g: Graph) -> str:
    """Cloud (B, N, 3) in the commanded palm pose of the state; as `network.palm_frame`."""
    position = g.slice("state", STATE_PALM_POSITION.start, STATE_PALM_POSITION.stop)
    start = STATE_PALM_ROTATION.start
    x, y = g.slice("state", start, start + 3), g.slice("state", start + 3, start + 6)

    def turned(v: str, by: int) -> str:
        return g.op("Gather", v, g.constant(np.roll(np.arange(3), -by)), axis=1)

    z = g.op(
        "Sub",
        g.op("Mul", turned(x, 1), turned(y, 2)),
        g.op("Mul", turned(x, 2), turned(y, 1)),
    )
    rotation = g.op("Concat", *(g.reshape(v, 0, 3, 1) for v in (x, y, z)), axis=-1)
    return g.op("MatMul", g.op("Sub", "cloud", g.reshape(position, 0, 1, 3)), rotation)


def normalized_state(g: Graph) -> str:
    """The input `state` (B, S) as the networks get it."""
    centered = g.op("Sub", "state", g.constant(g.weights["state_mean"]))
    scaled = g.op("Div", centered, g.constant(g.weights["state_std"]))
    return g.op("Clip", scaled, g.constant(-STATE_CLIP), g.constant(STATE_CLIP))
