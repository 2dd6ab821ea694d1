"""The look of this project's HTML pages: each is one file that needs nothing else."""

from collections.abc import Iterable
from html import escape

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1d2733; background: #fff; max-width: 60rem;
       margin: 2rem auto; padding: 0 1rem; }
h1 { font-weight: 600; margin-bottom: 0; } h2 { font-weight: 600; margin-top: 2.2rem; }
p.lead { color: #5f6b7a; margin-top: .2rem; }
table { border-collapse: collapse; } th { text-align: left; font-weight: 600; }
th, td { padding: .25rem 1.2rem .25rem 0; border-bottom: 1px solid #e3e7ec; }
tr.all td { font-weight: 600; border-bottom: 0; }
.success { color: #2a7f4f; } .failure, .broken { color: #b5453c; }
figure { margin: 0; } figcaption { font-size: .75rem; color: #5f6b7a; } img.plot { width: 100%; }
pre { background: #f5f7f9; padding: .8rem; border-radius: 4px; overflow-x: auto; font-size: .8rem; }
"""


def html_page(title: str, body: Iterable[str], style: str = "") -> str:
    """A whole page; `style` is CSS of its own."""
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>"
    return "\n".join([f"{head}<style>{_STYLE}{style}</style>", *body, "</html>\n"])
