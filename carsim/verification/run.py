"""Run checks one after the other; one that fails is recorded, and the rest go on.

Not in parallel: a check takes milliseconds once its model is compiled, compilation holds a lock
within a process, and populations already use all processors.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from carsim.errors import CarsimError
from carsim.verification.check import Check, Curve, Findings, Row

__all__ = ["Outcome", "Progress", "Tally", "run_checks", "tally"]

Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of a check.

    Attributes
    ----------
    check : Check
        The check.
    seconds : float
        How long it took, compilation included.
    rows, curves
        As in `Findings`; none if it failed.
    error : str
        Why there are no rows; empty if there are.
    """

    check: Check
    seconds: float
    rows: tuple[Row, ...] = ()
    curves: tuple[Curve, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Tally:
    """Counts over some checks.

    Attributes
    ----------
    checks : int
        Checks that were run.
    inside, outside : int
        Rows within their tolerance, and the others.
    failed : int
        Checks that gave no rows; each counts as one row that is not inside.
    """

    checks: int
    inside: int
    outside: int
    failed: int

    @property
    def rows(self) -> int:
        """Number of rows, one for each failed check among them."""
        return self.inside + self.outside + self.failed

    @property
    def share(self) -> float | None:
        """Share of the rows that are inside; None without rows."""
        return self.inside / self.rows if self.rows else None

    @property
    def percent(self) -> str:
        """The share in words, rounded down, so that nothing rises to a bar that it misses."""
        return f"{100 * self.inside // self.rows} %" if self.rows else "–"

    @property
    def holds(self) -> bool:
        """Whether nothing is outside and nothing failed."""
        return self.inside == self.rows


def tally(outcomes: Iterable[Outcome]) -> Tally:
    """Count the verdicts of some checks."""
    done = list(outcomes)
    rows = [row for outcome in done for row in outcome.rows]
    inside = sum(row.inside for row in rows)
    failed = sum(bool(outcome.error) for outcome in done)
    return Tally(len(done), inside, len(rows) - inside, failed)


def run_checks(
    checks: Sequence[Check], progress: Progress | None = None
) -> tuple[list[Outcome], list[Check]]:
    """Run checks in the given order.

    Parameters
    ----------
    checks : sequence of Check
        What to run.
    progress : callable, optional
        Called with how many are done and how many there are.

    Returns
    -------
    list of Outcome
        Those that finished.
    list of Check
        Those that an interrupt (Ctrl-C) left unfinished.
    """
    outcomes: list[Outcome] = []
    try:
        for check in checks:
            if progress is not None:
                progress(len(outcomes), len(checks))
            outcomes.append(_run(check))
        if progress is not None:
            progress(len(outcomes), len(checks))
    except KeyboardInterrupt:
        pass  # the caller sees what is left
    return outcomes, list(checks[len(outcomes) :])


def _run(check: Check) -> Outcome:
    begun = time.perf_counter()
    try:
        found: object = check.run()
        if not isinstance(found, Findings):
            raise TypeError(f"returned a {type(found).__name__} instead of Findings")
        if not found.rows:
            raise ValueError("returned no rows, so nothing was checked")
    except Exception as error:
        return Outcome(check, time.perf_counter() - begun, error=_words(error))
    return Outcome(check, time.perf_counter() - begun, found.rows, found.curves)


def _words(error: Exception) -> str:
    """Say what went wrong; where, unless carsim itself refused and its message says so."""
    message = " ".join(str(error).split())
    if isinstance(error, CarsimError):
        return message
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = "" if last.filename == __file__ else f" ({last.filename}, line {last.lineno})"
    return f"{type(error).__name__}: {message}{place}"
