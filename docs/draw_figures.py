"""Run the blocks of figures.md one after the other and draw its figures.

python docs/draw_figures.py
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib.axes import Axes

from carsim.plots import house_style

HERE = Path(__file__).resolve().parent
PAGE = HERE / "figures.md"
IMAGES = HERE / "images" / "figures"
BLOCK = re.compile(r"<!-- (\w+) -->\n```python\n(.*?)```", re.S)
SIZES: dict[str, tuple[float, float]] = {
    "words": (9.0, 3.4),
    "spaghetti": (9.0, 3.8),
    "trajectories": (6.4, 3.8),
    "events": (7.6, 4.2),
    "cohort_events": (7.6, 4.2),
    "vpc": (8.4, 3.8),
    "swimmer": (8.4, 4.6),
    "swimmer_of_a_sweep": (8.4, 4.8),
    "incidence": (8.4, 4.6),
    "competing": (8.0, 4.0),
    "differences": (8.4, 3.2),
}
"""Inches; other figures have matplotlib's size."""


def blocks() -> dict[str, str]:
    """Code of every block on the page, by name."""
    return dict(BLOCK.findall(PAGE.read_text(encoding="utf-8")))


def run_all(patients: int | None = None) -> tuple[dict[str, Any], dict[str, Axes]]:
    """Run all blocks in one namespace; they expect the root of the checkout as folder.

    Parameters
    ----------
    patients : int, optional
        Size of the populations, in place of the page's.

    Returns
    -------
    names, figures : dict, dict
        What the blocks defined, and the axes of each block that drew.
    """
    names: dict[str, Any] = {}
    figures: dict[str, Axes] = {}
    with house_style():
        for name, code in blocks().items():
            if patients is not None:
                code = code.replace("population.size=200", f"population.size={patients}")
            names.pop("figure", None)
            exec(compile(code, f"{PAGE}:{name}", "exec"), names)
            if "figure" in names:
                figures[name] = names["figure"]
    return names, figures


if __name__ == "__main__":
    IMAGES.mkdir(parents=True, exist_ok=True)
    for block, axes in run_all()[1].items():
        if block in SIZES:
            axes.figure.set_size_inches(SIZES[block])
        axes.figure.savefig(IMAGES / f"{block}.png", dpi=100)
