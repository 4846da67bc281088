"""Run the blocks of credibility.md one after the other and draw its figures.

python docs/draw_credibility.py
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

HERE = Path(__file__).resolve().parent
PAGE = HERE / "credibility.md"
IMAGES = HERE / "images" / "credibility"
BLOCK = re.compile(r"<!-- (\w+) -->\n```python\n(.*?)```", re.S)


def blocks() -> dict[str, str]:
    """Code of every block on the page, by name."""
    return dict(BLOCK.findall(PAGE.read_text(encoding="utf-8")))


def run_all() -> tuple[dict[str, Any], dict[str, Any]]:
    """Run all blocks in one namespace; they expect the root of the checkout as folder.

    Returns
    -------
    names, figures : dict, dict
        What the blocks defined, and the axes of each block that drew.
    """
    names: dict[str, Any] = {}
    figures = {}
    for name, code in blocks().items():
        names.pop("figure", None)
        exec(compile(code, f"{PAGE}:{name}", "exec"), names)
        if "figure" in names:
            figures[name] = names["figure"]
    return names, figures


if __name__ == "__main__":
    IMAGES.mkdir(parents=True, exist_ok=True)
    for block, axes in run_all()[1].items():
        axes.figure.savefig(IMAGES / f"{block}.png", dpi=110)
