"""Constants of the network that are not learned, shared by its PyTorch and ONNX forms. No torch."""

import numpy as np
from numpy.typing import NDArray

# Points enter relative to the middle of the workspace and to the palm, divided by about their spread (m).
WORKSPACE_CENTER = (0.55, 0.0, 0.2)
WORKSPACE_SCALE = 0.25
PALM_SCALE = 0.12

# Standard deviations; keeps odd states from driving the network far outside its data.
STATE_CLIP = 5.0

# A modulation's bounds are met a little below, so that float32 does not lift a residual over them; and its
# residual head is cut off where the bound is as good as reached, so that squares stay finite.
BOUND_SCALE = 1 - 1e-6
HEAD_CLIP = 1e3


def time_frequencies(features: int) -> NDArray[np.float32]:
    """Angular frequencies (features / 2,) of the sine and cosine features of flow time."""
    return (np.pi * 2.0 ** np.linspace(-1, 4, features // 2)).astype(np.float32)
