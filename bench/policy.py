"""Time from one observation to its action chunk on the CPU: 1,024 points, K = 10 Euler steps, batch of one.

ONNX Runtime is what the policy node uses; PyTorch eager, `torch.compile` and AOTInductor stand beside it,
each on one thread with the shipped weights. The two compilers need a C++ compiler and are left out without
one.

The node's whole tick (`control_tick`), from inputs to chunk, is timed without and with a modulation of random
weights, in turns: one on the base's encoder, and one with an encoder of its own.
"""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rfs_description.robot import ARM_HOME, HAND_HOME, JOINTS
from rfs_policy.checkpoint import load_checkpoint
from rfs_policy.command_state import CommandState
from rfs_policy.control_tick import Cloud, PolicyTick
from rfs_policy.flow import push
from rfs_policy.layout import STATE_PALM_ROTATION, Layout
from rfs_policy.learned_modulation import LearnedModulation
from rfs_policy.modulation import Modulation
from rfs_policy.modulation_config import Encoder, ModulationConfig
from rfs_policy.modulation_network import ModulationNetwork
from rfs_policy.observation import WORKSPACE_BOX
from rfs_policy.onnx_base import OnnxBase
from rfs_policy.onnx_modulation import OnnxModulation
from rfs_policy.policy import FlowPolicy
from rfs_policy.torch_base import TorchBase
from torch import Tensor, nn

GOAL_P99_MS = 15.0
MODULATED_GOAL_P99_MS = 20.0
WARM_UP, REPEATS = 50, 1000


class WholePolicy(nn.Module):
    """Encoder and push in one graph, for the compilers."""

    def __init__(self, base: TorchBase) -> None:
        super().__init__()
        self.network, self.steps = base.network, base.steps

    def forward(self, cloud: Tensor, state: Tensor, noise: Tensor) -> Tensor:
        velocity = self.network.velocity(self.network.encode(cloud, state))
        return self.network.denormalize_action(push(velocity, noise, self.steps))


def run() -> list[dict[str, Any]]:
    """Figures of this machine, now."""
    torch.set_num_threads(1)
    checkpoint = load_checkpoint("default")
    observation = random_observation(checkpoint.layout)
    eager = TorchBase.from_checkpoint(checkpoint)
    p50, p99 = percentiles(FlowPolicy(OnnxBase(checkpoint)).act, observation)
    peers = {"eager": percentiles(FlowPolicy(eager).act, observation)}
    if shutil.which("g++"):
        tensors = tuple(torch.from_numpy(array) for array in observation)
        with torch.no_grad():
            whole = WholePolicy(eager)
            peers["compile"] = percentiles(torch.compile(whole), tensors)
            peers["aotinductor"] = percentiles(ahead_of_time(whole, tensors), tensors)
    best = min(peers.values())[0]
    figures = [
        {"name": "policy.p50_ms", "value": p50, "peer": best, "ratio": best / p50},
        {"name": "policy.p99_ms", "value": p99, "goal": f"<= {GOAL_P99_MS:g}", "holds": p99 <= GOAL_P99_MS},
    ]
    for name, (peer_p50, peer_p99) in peers.items():
        figures.append({"name": f"policy.{name}_p50_ms", "value": peer_p50})
        figures.append({"name": f"policy.{name}_p99_ms", "value": peer_p99})
    figures += tick_figures(eager)
    return [{"unit": "ms", "goal": None, "holds": None, **figure} for figure in figures]


def tick_figures(base: TorchBase) -> list[dict[str, Any]]:
    """The node's tick, without a modulation and with one."""
    onnx = OnnxBase(load_checkpoint("default"))
    modulations = {
        "tick": None,
        "modulated": modulation(base, "base"),
        "modulated_own": modulation(base, "own"),
    }
    times = in_turns({name: tick(FlowPolicy(onnx, chosen)) for name, chosen in modulations.items()})
    figures: list[dict[str, Any]] = []
    for name, (p50, p99) in times.items():
        beside = {} if name == "tick" else {"peer": times["tick"][0], "ratio": times["tick"][0] / p50}
        goal = {"goal": f"< {MODULATED_GOAL_P99_MS:g}", "holds": p99 < MODULATED_GOAL_P99_MS}
        figures.append({"name": f"policy.{name}_p50_ms", "value": p50, **beside})
        figures.append({"name": f"policy.{name}_p99_ms", "value": p99, **(goal if beside else {})})
    return figures


def modulation(base: TorchBase, encoder: Encoder) -> Modulation:
    """A modulation of the usual size with random weights."""
    network = ModulationNetwork.beside(base, ModulationConfig(encoder=encoder))
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.05)
    return LearnedModulation(OnnxModulation(network.checkpoint(base.id, {})))


def tick(policy: FlowPolicy) -> Callable[[], Any]:
    """One tick of the policy node: an observation of 1,024 points comes, and is acted on."""
    node, points = PolicyTick(policy, lockstep=False), random_observation(policy.layout)[0][0]
    joints = np.concatenate([ARM_HOME, HAND_HOME]).tolist()
    command = CommandState(0, np.array([0.5, 0.0, 0.3]), np.diag([1.0, -1.0, -1.0]), np.array(HAND_HOME))

    def act() -> Any:
        node.take_cloud(Cloud(0, 0.0, points))
        node.take_joints(list(JOINTS), joints, 0, 0.0)
        node.take_command(command)
        answer = node.act(0.0, 0)
        assert answer is not None, node.problem
        return answer

    return act


def in_turns(calls: dict[str, Callable[[], Any]]) -> dict[str, tuple[float, float]]:
    """50th and 99th percentile of the time of each call, ms; in turns, so that all have the same machine."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(WARM_UP + REPEATS):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - began)
    found = {name: np.percentile(taken[WARM_UP:], [50, 99]) * 1e3 for name, taken in seconds.items()}
    return {name: (float(p50), float(p99)) for name, (p50, p99) in found.items()}


def random_observation(layout: Layout) -> tuple[NDArray[np.float32], ...]:
    """Cloud (1, N, 3) in the workspace, state (1, S) with the palm down, noise (1, H, D)."""
    rng = np.random.default_rng(0)
    cloud = rng.uniform(*WORKSPACE_BOX, (1, layout.cloud_points, 3))
    state = 0.1 * rng.standard_normal((1, layout.state_dim))
    state[:, STATE_PALM_ROTATION] = [1.0, 0.0, 0.0, 0.0, -1.0, 0.0]
    noise = rng.standard_normal((1, layout.horizon, layout.action_dim))
    return cloud.astype(np.float32), state.astype(np.float32), noise.astype(np.float32)


def percentiles(act: Callable[..., Any], observation: tuple[Any, ...]) -> tuple[float, float]:
    """50th and 99th percentile of the time of one call, ms."""
    for _ in range(WARM_UP):
        act(*observation)
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        act(*observation)
        seconds.append(time.perf_counter() - began)
    p50, p99 = np.percentile(seconds, [50, 99]) * 1e3
    return float(p50), float(p99)


def ahead_of_time(module: nn.Module, example: tuple[Tensor, ...]) -> Callable[..., Any]:
    """The module compiled by AOTInductor and loaded back."""
    with tempfile.TemporaryDirectory() as folder:
        program = torch.export.export(module, example)
        package = str(Path(folder) / "policy.pt2")
        torch._inductor.aoti_compile_and_package(program, package_path=package)
        return torch._inductor.aoti_load_package(package)
