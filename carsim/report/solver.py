"""Eighth section: how hard the equations were to solve, and who failed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carsim.engine.status import MEANING, Status
from carsim.hypertext import counted, table
from carsim.report.section import Section
from carsim.report.view import View

BINS = 40


def solver(view: View) -> Section:
    """Count steps, rejected steps, and failures by how they ended; of all patients."""
    section = Section("How well the equations were solved")
    _failures(section, view)
    if view.outcomes.run:
        _steps(section, view)
    return section


def _failures(section: Section, view: View) -> None:
    outcomes = view.outcomes
    total, cells = outcomes.run, outcomes.failed
    failed = int(cells.sum())
    waiting = int(outcomes.not_run.sum())
    if waiting:
        section.say(
            f"{counted(waiting, 'course')} of {total + waiting:,} have not been simulated yet; "
            "they are not among the failed ones. What follows is about the others."
        )
    if not failed:
        section.say(f"All {counted(total, 'course')} reached the end." if total else "")
        return
    section.note(
        f"{failed:,} of {counted(total, 'course')} failed ({100 * failed / total:.3g} %). They are "
        "left out of all risks above; none counts as event or as none."
    )
    rows = [
        (Status(code).name.lower().replace("_", " "), f"{count:,}", MEANING[Status(code)])
        for code, count in sorted(outcomes.codes.items())
        if code not in (Status.SUCCESS, Status.NOT_RUN)
    ]
    section.add(table(("Status", "Courses", "What it means"), rows, numbers=(1,)))
    worst = tuple(int(k) for k in np.unravel_index(int(np.argmax(cells)), view.shape))
    where = view.place(worst)
    if where:
        section.say(
            f"{counted(int((cells > 0).sum()), 'cell')} of {cells.size:,} "
            f"{'has' if int((cells > 0).sum()) == 1 else 'have'} failures; most are in the cell "
            f"{where}: {int(cells.max()):,}."
        )
    section.say(str(view.whole.attrs.get("failures", "The result holds no message about them.")))


def _steps(section: Section, view: View) -> None:
    from carsim.plots import Histogram, as_png, histogram_figure

    solver = view.sweep.scenario.solver
    names = {"n_steps": "Accepted steps", "n_rejected": "Rejected steps"}
    counts = {name: _counts(view, name) for name in names}
    accepted, rejected = (_spread(counts[name]) for name in names)
    total = [float(np.dot(np.arange(each.size), each)) for each in counts.values()]
    share = total[1] / sum(total) if sum(total) else 0.0
    section.say(
        f"Method {solver.method}, relative tolerance {solver.rtol:g}. A course took a median of "
        f"{accepted[1]:,} steps (5th to 95th percentile {accepted[0]:,} to {accepted[2]:,}; at "
        f"most {counts['n_steps'].size - 1:,}); {100 * share:.2g} % of all attempted steps were "
        f"rejected and tried again shorter (median {rejected[1]:,} a course)."
    )
    panels = []
    for name, words in names.items():
        edges, shares = _binned(counts[name])
        panels.append(Histogram(words, f"{words} in a course", edges, {"": shares}))
    section.draw(
        as_png(histogram_figure(panels, "Share of courses (%)")),
        "Histograms of the accepted and of the rejected steps of all courses; the sentence above "
        "has their percentiles.",
        "Steps of all courses. Many rejected steps, or a long tail, are a sign that something in "
        "the equations or in the therapy is abrupt.",
    )


def _counts(view: View, name: str) -> NDArray[np.int64]:
    """How many courses took 0, 1, 2, ... steps."""
    counts: NDArray[np.int64] = np.zeros(1, dtype=np.int64)
    run = (values != Status.NOT_RUN for values in view.parts("status", whole=True))
    for values, kept in zip(view.parts(name, whole=True), run, strict=True):
        more = np.bincount(values[kept])
        longer, shorter = (counts, more) if counts.size >= more.size else (more, counts)
        counts = longer.astype(np.int64)
        counts[: shorter.size] += shorter
    return counts


def _spread(counts: NDArray[np.int64]) -> tuple[int, int, int]:
    """5th percentile, median and 95th percentile."""
    reached = np.cumsum(counts)
    low, middle, high = (
        int(np.searchsorted(reached, share * reached[-1])) for share in (0.05, 0.5, 0.95)
    )
    return low, middle, high


def _binned(counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Edges of bins of whole numbers, and the share of the courses in each."""
    taken = np.flatnonzero(counts)
    first, last = int(taken[0]), int(taken[-1])
    width = max(1, -(-(last - first + 1) // BINS))
    edges = np.arange(first, last + width + 1, width, dtype=np.float64)
    shares, _ = np.histogram(taken, edges, weights=counts[taken].astype(np.float64))
    return edges - 0.5, shares / counts.sum()
