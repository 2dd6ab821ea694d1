"""Figures with pictures in them as PNG of modest size."""

from io import BytesIO

from matplotlib.figure import Figure
from PIL import Image


def small_png(figure: Figure, colors: int = 128) -> bytes:
    """The figure, reduced to that many colors."""
    drawn, small = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png", dpi=110)
    Image.open(drawn).convert("RGB").quantize(colors).save(small, "PNG", optimize=True)
    return small.getvalue()
