"""ONNX graph of a modulation, built from its checkpoint's tensors; computes what `ModulationNetwork` does."""

from rfs_policy.modulation_checkpoint import ModulationCheckpoint
from rfs_policy.onnx_graph import Graph, normalized_state, point_features
from rfs_policy.scales import HEAD_CLIP


def modulation_graph(checkpoint: ModulationCheckpoint) -> bytes:
    """Model with the inputs `state` (B, S) and `context` (B, C) of the base's encoder, or `cloud` (B, N, 3)
    for an own one, and the outputs that the modulation chooses: a0 (B, H, D), then a_r (B, D), m and rad.
    """
    g, config, layout = Graph(checkpoint.tensors), checkpoint.config, checkpoint.layout
    inputs: dict[str, list] = {"state": ["B", layout.state_dim]}
    if config.encoder == "own":
        inputs["cloud"] = ["B", "N", 3]
        seen = point_features(g, len(checkpoint.network["point_widths"]))
    else:
        inputs["context"] = ["B", int(checkpoint.network["context_dim"])]
        seen = "context"
    x = g.op("Concat", seen, normalized_state(g), axis=-1)
    for i in range(len(config.hidden)):
        x = g.silu(g.linear(x, f"hidden.{i}"))
    outputs: dict[str, list] = {}
    if config.latent:
        outputs[_noise(g, x, checkpoint)] = ["B", layout.horizon, layout.action_dim]
    if config.residual:
        outputs[_residual(g, x, checkpoint)] = ["B", layout.action_dim]
    return g.model(inputs, outputs)


def _noise(g: Graph, x: str, checkpoint: ModulationCheckpoint) -> str:
    bound = g.constant(float(checkpoint.config.noise_bound))  # JSON and YAML may say 2
    bounded = g.op("Mul", g.op("Tanh", g.linear(x, "noise_head")), bound)
    return g.reshape(bounded, -1, checkpoint.layout.horizon, checkpoint.layout.action_dim)


def _residual(g: Graph, x: str, checkpoint: ModulationCheckpoint) -> str:
    """As `ModulationNetwork.bounded`."""
    u = g.op("Clip", g.linear(x, "residual_head"), g.constant(-HEAD_CLIP), g.constant(HEAD_CLIP))
    parts = checkpoint.config.residual_parts(checkpoint.layout)
    squares = g.op("MatMul", g.op("Mul", u, u), g.constant(parts))
    length = g.op("Sqrt", g.op("Add", squares, g.constant(1.0)))
    return g.op("Mul", g.op("Div", u, length), g.constant(checkpoint.config.largest_residual()))
