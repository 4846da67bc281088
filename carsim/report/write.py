"""The sections in reading order, written as one file."""

from __future__ import annotations

import os
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from carsim.errors import CarsimError
from carsim.hypertext import anchor, page_of
from carsim.report.courses import simulate_courses, trajectories
from carsim.report.incidence import over_time
from carsim.report.population import population
from carsim.report.provenance import NOT_ADVICE, provenance
from carsim.report.question import question
from carsim.report.risks import risks
from carsim.report.section import Section
from carsim.report.sensitivity import correlated, sensitivity
from carsim.report.solver import solver
from carsim.report.therapy import event_log
from carsim.report.view import View
from carsim.sweep.courses import MOST_PATIENTS

if TYPE_CHECKING:
    import xarray as xr

Progress = Callable[[int, int], None]


def report_page(
    result: xr.Dataset,
    *,
    patients: int = MOST_PATIENTS,
    store: str | Path | None = None,
    progress: Progress | None = None,
) -> str:
    """Make the page of a sweep.

    Parameters
    ----------
    result : xarray.Dataset
        Result of a sweep, perhaps opened lazily: variables are loaded piece by piece.
    patients : int, optional
        Patients whose courses are simulated again, in each of a few cells; 0 for none.
    store : str or Path, optional
        The folder, or the file, that the result was opened from: the page then says how far it is,
        its digest, and the commands that check it.
    progress : callable, optional
        Called with (sections done, sections).

    Returns
    -------
    str
        HTML without scripts, which needs nothing beside itself.

    Raises
    ------
    CarsimError
        Not a result of a sweep, or one whose model or endpoints are not installed.
    """
    view = View(result, patients, None if store is None else Path(store))
    chosen = simulate_courses(view)
    driving = correlated(view)
    makers: list[Callable[[], Section]] = [
        lambda: question(view),
        lambda: population(view, driving),
        lambda: risks(view),
        lambda: over_time(view),
        lambda: trajectories(view, chosen),
        lambda: sensitivity(view, driving),
        lambda: event_log(view, chosen),
        lambda: solver(view),
        lambda: provenance(view),
    ]
    sections = []
    for make in makers:
        sections.append(make())
        if progress is not None:
            progress(len(sections), len(makers))
    return page_of(view.title, _body(view, sections))


def write_report(
    result: xr.Dataset,
    path: str | Path,
    *,
    patients: int = MOST_PATIENTS,
    store: str | Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write the page of a sweep, whole or not at all.

    Parameters
    ----------
    result, patients, store, progress
        As for `report_page`.
    path : str or Path
        The file; an older one is replaced.

    Returns
    -------
    Path

    Raises
    ------
    CarsimError
        As for `report_page`, or the file cannot be written.
    """
    target = Path(path)
    page = report_page(result, patients=patients, store=store, progress=progress)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(page, encoding="utf-8")
        os.replace(partial, target)
    except OSError as error:
        raise CarsimError(f"{target}: cannot be written: {error}.") from None
    finally:
        partial.unlink(missing_ok=True)
    return target


def _body(view: View, sections: list[Section]) -> list[str]:
    titles = [(number, each.title) for number, each in enumerate(sections, start=1)]
    attributes = view.whole.attrs
    made = f"carsim {attributes.get('carsim_version', '')}, model {attributes.get('model', '')}"
    body = [
        f"<header><h1>{escape(view.title)}</h1>",
        f'<p class="soft">{escape(made)}, {escape(str(attributes.get("created_at", "")))}. '
        f"{NOT_ADVICE}</p>",
        *unfinished(view),
        "</header>",
        '<nav aria-label="Contents"><h2>Contents</h2><ol>',
        *(f'<li><a href="#{_place(n, title)}">{escape(title)}</a></li>' for n, title in titles),
        "</ol></nav>",
        "<main>",
    ]
    for (number, title), section in zip(titles, sections, strict=True):
        body.append(f'<section id="{_place(number, title)}">')
        body.append(f"<h2>{number} {escape(title)}</h2>")
        body += section.parts
        body.append("</section>")
    body.append("</main>")
    return body


def unfinished(view: View) -> list[str]:
    """Say first that the result is not whole yet, and how much of it there is."""
    if not view.is_unfinished:
        return []
    done, total = view.outcomes.run, sum(view.outcomes.codes.values())
    blocks = ""
    if view.progress is not None:
        blocks = f"{view.progress.blocks_done:,} of {view.progress.blocks:,} blocks, "
    words = (
        f"This sweep is not finished: {blocks}{done:,} of {total:,} courses "
        f"({100 * done / total:.1f} %) are there. All numbers of this page are about these alone; "
        "the others are neither events nor failures. Make the report again when it is finished."
    )
    return [f'<p class="note">{escape(words)}</p>']


def _place(number: int, title: str) -> str:
    return f"s{number}-{anchor(title)}".rstrip("-")
