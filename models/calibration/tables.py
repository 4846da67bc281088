"""Write the tables of docs/calibration.md from the results of the other scripts.

python models/calibration/tables.py
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
PAGE = FOLDER.parents[1] / "docs" / "calibration.md"


def result(name: str) -> dict[str, Any]:
    """What a script wrote."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Markdown table."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def courses() -> str:
    """Fitted parameters of the typical courses, and targets against fit."""
    found = result("typical_courses")
    fitted = [
        (whose, f"`{name}`", f"{entry['value']:.3g}", f"{2.718281828 ** entry['sd_log']:.2f}")
        for whose, entries in found["fitted"].items()
        for name, entry in entries.items()
    ]
    targets = [
        (
            row["product"],
            row["quantity"],
            ", ".join(f"{value:.3g}" for value in row["target"]),
            ", ".join(f"{value:.3g}" for value in row["fit"]),
            row["source"],
        )
        for row in found["targets"]
    ]
    return "\n\n".join(
        (
            table(("product", "parameter", "value", "times or over (1 sd)"), fitted),
            table(("product", "quantity", "target", "fit", "source"), targets),
        )
    )


def grades() -> str:
    """Thresholds of the CRS grades."""
    found = result("grades")
    rows = [
        (grade, f"{100 * share:.1f} %", f"{found['fitted'][f'cytokine.grade_{grade}']:.3f}")
        for grade, share in found["at_least"].items()
    ]
    return table(("grade", "that or more, Hay 2017", "IL-6 signal from"), rows)


def posterior(name: str) -> str:
    """Knobs with their intervals, and observed against modeled statistics."""
    found = result(name)
    knobs = [
        (
            f"`{knob}`",
            f"{entry['value']:.3g}",
            f"{entry['median']:.3g}",
            f"{entry['low']:.3g} to {entry['high']:.3g}",
            f"{entry['prior'][0]:g} to {entry['prior'][1]:g}",
        )
        for knob, entry in found["fitted"].items()
    ]
    statistics = [
        (
            row["statistic"],
            f"{100 * row['observed']:.1f} %" + ("" if row["n"] is None else f" of {row['n']}"),
            f"{100 * row['model']:.1f} %",
            row["source"],
        )
        for row in found["statistics"]
    ]
    return "\n\n".join(
        (
            table(("`Spread`", "best point", "median", "95 % interval", "prior"), knobs),
            table(("statistic", "observed", "at the best point", "source"), statistics),
        )
    )


def page(text: str) -> str:
    """Page with every table between its two marks made anew."""
    made = {
        "typical_courses": courses(),
        "grades": grades(),
        "response": posterior("response"),
        "reactivation": posterior("reactivation"),
    }
    for name, content in made.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}\n{content}\n{end}{after}"
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
