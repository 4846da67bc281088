"""The table of the README, read off the measured rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ERROR = 1.2e-5
"""Solvers are compared at the fastest tolerance whose median achieved error is not above this."""

BEGIN, END = "<!-- benchmark table: begin -->", "<!-- benchmark table: end -->"


def best(rows: list[dict[str, Any]], problem: str, solver: str) -> dict[str, Any] | None:
    """The fastest row that is accurate enough."""
    good = [
        row
        for row in rows
        if row["problem"] == problem
        and row["solver"] == solver
        and row.get("achieved_error", 1.0) <= ERROR
        and "trajectories_per_second" in row
    ]
    return max(good, key=lambda row: float(row["trajectories_per_second"]), default=None)


def markdown(rows: list[dict[str, Any]]) -> str:
    """One line a solver, with the version of its package, one column a problem."""
    problems = list(dict.fromkeys(row["problem"] for row in rows))
    sizes = {row["problem"]: row["n_states"] for row in rows}
    table: dict[str, list[str]] = {}
    speed: dict[str, float] = {}
    for solver in dict.fromkeys(row["solver"] for row in rows):
        cells = []
        for problem in problems:
            row = best(rows, problem, solver)
            if row is not None:
                cells.append(
                    f"{_round(row['trajectories_per_second'])} ({row['achieved_error']:.1e})"
                )
                speed[solver] = max(speed.get(solver, 0.0), row["trajectories_per_second"])
                continue
            mine = [r for r in rows if r["problem"] == problem and r["solver"] == solver]
            if not mine:
                cells.append("")
            elif "absent" in mine[0]:
                cells.append("not installed")
            elif all("achieved_error" not in r for r in mine):
                cells.append("failed")
            else:
                cells.append(f"error > {ERROR:.1e}")
        table[solver] = cells
    heads = [f"{problem}, {sizes[problem]} states" for problem in problems]
    lines = [f"| solver | {' | '.join(heads)} |", "|---" * (len(problems) + 1) + "|"]
    versions = {row["solver"]: row["version"] for row in rows if "version" in row}
    for solver in sorted(table, key=lambda s: -speed.get(s, 0.0)):
        label = f"{solver} ({versions[solver]})" if solver in versions else solver
        lines.append(f"| {label} | {' | '.join(table[solver])} |")
    return "\n".join(lines)


def write_into_readme(rows: list[dict[str, Any]], readme: Path) -> None:
    """Replace what stands between the marks."""
    text = readme.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    readme.write_text(f"{before}{BEGIN}\n{markdown(rows)}\n{END}{after}")


def _round(value: float) -> str:
    """Three digits, thousands separated."""
    digits = max(0, 2 - int(f"{value:e}".split("e")[1]))
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.{digits}f}"
