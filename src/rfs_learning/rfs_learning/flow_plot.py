"""Loss curves of a training run as a picture."""

import json
from pathlib import Path


def plot_losses(metrics: Path, picture: Path) -> None:
    """Draw losses and action errors of a metrics file (JSON lines) over steps."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    entries = [json.loads(line) for line in metrics.read_text().splitlines()] if metrics.is_file() else []
    if not entries:
        return
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 3.5), layout="constrained")
    panels = ((left, ("loss", "validation_loss")), (right, ("arm_error", "finger_error")))
    for axes, names in panels:
        for name in names:
            points = [(entry["step"], entry[name]) for entry in entries if name in entry]
            if points:
                axes.semilogy(*zip(*points, strict=True), label=name.replace("_", " "))
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend()
    left.set_title("flow-matching loss")
    right.set_title("error of the first action, validation (m, rad)")
    figure.savefig(picture, dpi=110)
    pyplot.close(figure)
