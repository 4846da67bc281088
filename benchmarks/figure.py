"""Work against precision: achieved error and trajectories per second, one panel a problem."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from benchmarks.table import ERROR

COLORS = {
    "carsim": "#c1272d",
    "numbalsoda": "#0b5fa5",
    "heyoka": "#e08a00",
    "libRoadRunner": "#2e7d32",
    "diffrax": "#7b3fa0",
    "scikit-sundae": "#00838f",
    "SciPy": "#6b6b6b",
}
MARKERS = "os^Dv"


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Write the figure."""
    measured = [row for row in rows if "trajectories_per_second" in row]
    problems = list(dict.fromkeys(row["problem"] for row in measured))
    if not problems:
        return
    columns = min(2, len(problems))
    lines = -(-len(problems) // columns)
    figure, axes = plt.subplots(
        lines, columns, figsize=(7.2 * columns, 5.2 * lines), squeeze=False, layout="constrained"
    )
    for ax, problem in zip(axes.flat, problems, strict=False):
        _panel(ax, [row for row in measured if row["problem"] == problem])
    for ax in axes.flat[len(problems) :]:
        ax.set_axis_off()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _panel(ax: Axes, rows: list[dict[str, Any]]) -> None:
    seen: dict[str, int] = {}
    for solver in dict.fromkeys(row["solver"] for row in rows):
        family = solver.split()[0].split(".")[0].rstrip(",")
        number = seen[family] = seen.get(family, -1) + 1
        points = sorted(
            (row["achieved_error"], row["trajectories_per_second"])
            for row in rows
            if row["solver"] == solver and 0.0 < row["achieved_error"] < 1.0
        )
        if not points:
            continue
        ax.plot(
            *zip(*points, strict=True),
            color=COLORS.get(family, "black"),
            marker=MARKERS[number % len(MARKERS)],
            linestyle=("-", "--", ":", "-.")[number % 4],
            linewidth=2.2 if family == "carsim" else 1.4,
            markersize=5,
            label=solver,
        )
    ax.axvline(ERROR, color="black", linewidth=0.8, linestyle=":")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.invert_xaxis()
    ax.grid(which="major", alpha=0.3)
    ax.set_xlabel("achieved error (median over patients), more exact to the right")
    ax.set_ylabel("trajectories per second, one core")
    ax.set_title(f"{rows[0]['problem']} ({rows[0]['n_states']} states)")
    ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
