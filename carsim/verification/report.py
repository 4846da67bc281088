"""What ``carsim verify`` found, with all that a reader needs to trust it or to run it again."""

from __future__ import annotations

import datetime
import importlib.metadata
import math
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carsim._version import __version__
from carsim.model import Cited
from carsim.verification.check import KINDS, Check, Interval, Kind, Row
from carsim.verification.run import Outcome, Tally, tally

__all__ = ["COHORTS", "REQUIRED_SHARE", "Report", "document", "revision", "versions"]

FORMAT = 1
COHORTS: tuple[Kind, ...] = ("cohort fitted", "cohort predicted")

# Share of the cohort rows that the project wants inside. Cohorts are small and differ in ways that
# no model knows; all of them inside would say that the tolerances are too wide.
REQUIRED_SHARE = 0.8

PACKAGES = ("numpy", "numba", "scipy", "xarray")
SECONDS_FOR_GIT = 5.0


@dataclass(frozen=True, eq=False)
class Report:
    """One run of ``carsim verify``.

    Attributes
    ----------
    outcomes : tuple of Outcome
        Checks that finished.
    not_run : tuple of Check
        Checks that an interrupt left out.
    available : int
        How many checks there are, chosen or not.
    command : str
        The command that was given.
    begun : datetime
        When, with the time zone.
    seconds : float
        How long it took.
    versions : dict of str to str
        Of carsim, Python, numpy, numba, ...
    revision : str or None
        Git revision of carsim's source, if it runs from a checkout.
    """

    outcomes: tuple[Outcome, ...]
    not_run: tuple[Check, ...]
    available: int
    command: str
    begun: datetime.datetime
    seconds: float
    versions: dict[str, str]
    revision: str | None

    def of(self, *kinds: Kind) -> list[Outcome]:
        """Outcomes of some kinds, all if none is given; by kind, model, name."""

        def place(outcome: Outcome) -> tuple[int, str, str]:
            check = outcome.check
            return KINDS.index(check.kind), check.model, check.name

        chosen = [each for each in self.outcomes if each.check.kind in (kinds or KINDS)]
        return sorted(chosen, key=place)

    def tally(self, *kinds: Kind) -> Tally:
        """Counts over some kinds, all if none is given."""
        return tally(self.of(*kinds))

    @property
    def complete(self) -> bool:
        """Whether everything chosen was run."""
        return not self.not_run

    @property
    def holds(self) -> bool:
        """Whether all that was asked for was run, gave rows, and all rows are inside."""
        counts = self.tally()
        return self.complete and counts.rows > 0 and counts.holds


def versions() -> dict[str, str]:
    """Versions of carsim, of Python and of what computes."""
    found = {"carsim": __version__, "python": platform.python_version()}
    return found | {name: importlib.metadata.version(name) for name in PACKAGES}


def revision() -> str | None:
    """Git revision of carsim's source, with ``-dirty`` if it was changed; None outside git."""
    here = Path(__file__).resolve()
    try:
        # An environment may lie in the checkout of another project: is this file tracked?
        _git(here.parent, "ls-files", "--error-unmatch", here.name)
        return _git(here.parent, "describe", "--always", "--dirty", "--abbrev=12")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS_FOR_GIT,
    )
    return done.stdout.strip()


def document(report: Report) -> dict[str, Any]:
    """Turn a report into what its JSON file holds.

    Parameters
    ----------
    report : Report
        What was found.

    Returns
    -------
    dict
        ``format`` (1), ``begun`` (ISO 8601), ``seconds``, ``command``, ``complete``, ``holds``,
        ``available_checks``, ``revision`` (or null), ``versions``; ``summary`` with ``all``,
        ``by_kind`` and ``cohorts``, which are counts (``checks``, ``rows``, ``inside``,
        ``outside``, ``failed``, ``share``; ``required_share`` for cohorts); ``not_run`` (names);
        and ``checks``: ``name``, ``title``, ``kind``, ``model``, ``quick``, ``seconds``, ``error``
        (or null) and ``rows``: ``quantity``, ``unit``, ``definition``, ``published``,
        ``published_interval``, ``found``, ``interval``, ``tolerated``, ``tolerance_used``,
        ``verdict`` (inside, outside), ``source`` (``kind`` published, computed or assumed; ``doi``
        and ``where``, or null; ``text``). Intervals are pairs or null. A number that is NaN or
        infinite is null: in ``tolerated`` it means no bound on that side.
    """
    return {
        "format": FORMAT,
        "begun": report.begun.isoformat(timespec="seconds"),
        "seconds": round(report.seconds, 3),
        "command": report.command,
        "complete": report.complete,
        "holds": report.holds,
        "available_checks": report.available,
        "revision": report.revision,
        "versions": report.versions,
        "summary": {
            "all": _counts(report.tally()),
            "by_kind": {kind: _counts(report.tally(kind)) for kind in KINDS},
            "cohorts": _counts(report.tally(*COHORTS)) | {"required_share": REQUIRED_SHARE},
        },
        "not_run": [check.name for check in report.not_run],
        "checks": [_check(outcome) for outcome in report.of()],
    }


def _counts(counts: Tally) -> dict[str, Any]:
    return {
        "checks": counts.checks,
        "rows": counts.rows,
        "inside": counts.inside,
        "outside": counts.outside,
        "failed": counts.failed,
        "share": counts.share,
    }


def _check(outcome: Outcome) -> dict[str, Any]:
    check = outcome.check
    return {
        "name": check.name,
        "title": check.title,
        "kind": check.kind,
        "model": check.model,
        "quick": check.quick,
        "seconds": round(outcome.seconds, 3),
        "error": outcome.error or None,
        "rows": [_row(row) for row in outcome.rows],
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "quantity": row.quantity,
        "unit": row.unit,
        "definition": row.definition,
        "published": _number(row.published),
        "published_interval": _interval(row.published_interval),
        "found": _number(row.found),
        "interval": _interval(row.interval),
        "tolerated": _interval((row.lowest, row.highest)),
        "tolerance_used": _number(row.tolerance_used),
        "verdict": "inside" if row.inside else "outside",
        "source": _source(row),
    }


def _source(row: Row) -> dict[str, str | None]:
    cited = row.source if isinstance(row.source, Cited) else None
    return {
        "kind": row.basis,
        "doi": cited.doi if cited else None,
        "where": (cited.where or None) if cited else None,
        "text": row.source.text,
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _interval(ends: Interval | None) -> list[float | None] | None:
    return None if ends is None else [_number(end) for end in ends]
