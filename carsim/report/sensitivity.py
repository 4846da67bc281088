"""Sixth section: which sampled parameters the endpoint hangs on."""

from __future__ import annotations

from html import escape

import numpy as np

from carsim.hypertext import table
from carsim.report.section import Section
from carsim.report.view import View

MOST_IN_SENTENCE = 3


def sensitivity(view: View) -> Section:
    """Draw sensitivity indices that were given; nothing is computed here."""
    section = Section("Sensitivity")
    indices = view.indices
    if indices is None:
        section.say(
            "Not computed for this report. It would say which of the sampled parameters the "
            "endpoint hangs on most."
        )
        return section
    from carsim.plots import as_png
    from carsim.plots.indices import indices_figure

    values = np.asarray(indices["value"].values, dtype=np.float64)
    finite = np.flatnonzero(np.isfinite(values))
    if not finite.size:
        section.say("No index is finite: the endpoint does not vary between these patients.")
        return section
    names = [str(name) for name in indices["factor"].values]
    lower, upper = indices["lower"].values, indices["upper"].values
    order = finite[np.argsort(-np.abs(values[finite]), kind="stable")]
    words = str(indices["value"].attrs.get("long_name", "sensitivity index"))
    top = "; ".join(
        f"{names[k]} {values[k]:.2f} ({lower[k]:.2f} to {upper[k]:.2f})"
        for k in order[:MOST_IN_SENTENCE]
    ).replace("-", "−")
    unsure = sum(1 for k in finite if lower[k] <= 0.0 <= upper[k])
    section.say(
        f"Largest {words}, with 95 % intervals: {top}.",
        f"For {unsure} of {finite.size} parameters the interval includes zero: nothing is shown "
        "about them.",
    )
    section.draw(
        as_png(indices_figure(indices)),
        f"Bars of the {words} of the sampled parameters; the numbers are in the table below.",
        "Bars: indices, the largest on top; lines: their intervals. A bar to the right says that "
        "more of the parameter goes with more of the endpoint.",
    )
    rows = [
        (
            f"<code>{escape(names[k])}</code>",
            f"{values[k]:.3f}".replace("-", "−"),
            f"{lower[k]:.3f} to {upper[k]:.3f}".replace("-", "−"),
        )
        for k in order
    ]
    html = table(("Parameter", escape(words), "Interval"), rows, numbers=(1, 2))
    section.fold("Table of the indices", html)
    return section
