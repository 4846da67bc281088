"""CAR-T cells and what goes before them: conditioning, split infusions, infusions once more."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from carsim.errors import ScenarioError
from carsim.therapy.doses import Dose, Infusion
from carsim.therapy.regimens import Bundle
from carsim.therapy.rules import Action, Rule
from carsim.therapy.strategies.checks import check_flag, check_names, check_numbers, check_plain
from carsim.therapy.values import Item, PerPatient, Series, columns, number, series, store, whole

CONDITIONING = (-5.0, -4.0, -3.0)
"""Days of lymphodepletion, counted from the cells."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Lymphodepletion(Bundle):
    """Conditioning on some days before the cells.

    Parameters
    ----------
    at : float, list or array
        Days. By default -5, -4 and -3; fludarabine for 3 days is common in adults (as remembered,
        unverified), ELIANA gave it for 4.
    depth : float or array
        How deep, in multiples of a standard day's course.
    route : str
        Route of the conditioning.
    """

    at: Series = CONDITIONING
    depth: PerPatient = 1.0
    route: str = "lymphodepletion"

    def __post_init__(self) -> None:
        where = "Lymphodepletion"
        check_names(where, self, "route")
        check_numbers(where, self, "depth")
        store(self, at=series(where, "at", self.at))

    def parts(self) -> Mapping[str, Item]:
        """One dose a day."""
        return {"course": Dose(self.route, self.depth, at=self.at)}


@dataclass(frozen=True, eq=False, kw_only=True)
class SplitDose(Bundle):
    """CAR-T cells in several infusions.

    Parameters
    ----------
    total : float or array
        Cells in all. 7e7 is 1e6 per kg in 70 kg (assumed).
    fractions : sequence of float
        Share of each infusion; they sum to 1. 0.1, 0.3 and 0.6 on three days are those of patients
        UPN1 and UPN3 (Kalos 2011) in Hardiansyah 2019.
    days : sequence of float
        Day of each infusion.
    route : str
        Route of the cells.
    """

    total: PerPatient = 7e7
    fractions: tuple[float, ...] = (0.1, 0.3, 0.6)
    days: tuple[float, ...] = (0.0, 1.0, 2.0)
    route: str = "car_t"

    def __post_init__(self) -> None:
        where = "SplitDose"
        check_names(where, self, "route")
        check_numbers(where, self, "total")
        store(
            self,
            fractions=_list(where, "fractions", self.fractions, at_least=0.0),
            days=_list(where, "days", self.days),
        )
        if len(self.fractions) != len(self.days):
            raise ScenarioError(
                f"{where}: {len(self.fractions)} fractions for {len(self.days)} days. Give as many."
            )
        if not math.isclose(math.fsum(self.fractions), 1.0, abs_tol=1e-9):
            raise ScenarioError(
                f"{where}: fractions sum to {math.fsum(self.fractions):g}. They are shares of the "
                f"total: let them sum to 1."
            )

    def parts(self) -> Mapping[str, Item]:
        """All infusions as one item."""
        if isinstance(self.total, np.ndarray):
            amounts: Series = np.multiply.outer(self.total, self.fractions)
        else:
            amounts = [self.total * fraction for fraction in self.fractions]
        return {"cells": Dose(self.route, amounts, at=self.days)}


@dataclass(frozen=True, eq=False, kw_only=True)
class Reinfusion(Bundle):
    """CAR-T cells once more: on a day, or when B cells have come back.

    That B cells come back says that the cells have gone. A second infusion needs room: with
    conditioning before it, aplasia returned much more often (odds ratio 33.6, Blood Adv
    2024;8:2182).

    Parameters
    ----------
    at : float or array, optional
        Day of the cells. By default they are given when B cells have come back.
    cells : float or array
        Cells. 7e7 is 1e6 per kg in 70 kg (assumed).
    lymphodepletion : bool
        Whether conditioning precedes them.
    depth : float or array
        How deep, in multiples of a standard day's course.
    conditioning : sequence of float
        Days of conditioning, counted from the cells: negative.
    preparation : float
        Days from the visit at which B cells are back to the first day of conditioning, or to the
        cells without it (assumed: a week).
    b_cells : str
        Observable, cell/uL.
    aplastic_below, recovered_above : float or array
        Counts below which B cells have gone and above which they are back, cell/uL (assumed).
    every : float
        Interval between counts, days (assumed).
    start : float
        Day of the first count.
    consecutive : int
        Counts in a row for a recovery (assumed).
    route, conditioning_route : str
        Routes of the cells and of the conditioning.
    """

    at: PerPatient | None = None
    cells: PerPatient = 7e7
    lymphodepletion: bool = True
    depth: PerPatient = 1.0
    conditioning: tuple[float, ...] = CONDITIONING
    preparation: float = 7.0
    b_cells: str = "b_cells"
    aplastic_below: PerPatient = 10.0
    recovered_above: PerPatient = 10.0
    every: float = 28.0
    start: float = 0.0
    consecutive: int = 1
    route: str = "car_t"
    conditioning_route: str = "lymphodepletion"

    def __post_init__(self) -> None:
        where = "Reinfusion"
        check_names(where, self, "b_cells", "route", "conditioning_route")
        check_flag(where, self, "lymphodepletion")
        check_numbers(where, self, "cells", "depth", "aplastic_below", "recovered_above")
        check_plain(where, self, "preparation", at_least=0.0)
        check_plain(where, self, "start")
        check_plain(where, self, "every", above=0.0)
        store(self, conditioning=_list(where, "conditioning", self.conditioning))
        if max(self.conditioning) >= 0.0:
            raise ScenarioError(
                f"{where}: conditioning = {max(self.conditioning):g}. It goes before the cells: "
                f"give negative days."
            )
        if self.at is not None:
            store(self, at=number(where, "at", self.at))
        self.parts()

    def parts(self) -> Mapping[str, Item]:
        """Scheduled doses, or the rules that give them."""
        if self.at is not None:
            *before, cells = self._doses(self.at)
            return {"conditioning": before[0], "cells": cells} if before else {"cells": cells}
        lead = -min(self.conditioning) if self.lymphodepletion else 0.0
        return recovery_rules(
            self.b_cells,
            self.aplastic_below,
            self.recovered_above,
            self.every,
            self.start,
            self.consecutive,
            *self._doses(self.preparation + lead),
        )

    def _doses(self, at: PerPatient) -> list[Dose]:
        """Conditioning, if there is any, and cells at a time."""
        cells = Dose(self.route, self.cells, at=at)
        if not self.lymphodepletion:
            return [cells]
        days: Series
        if isinstance(at, np.ndarray):
            days = np.add.outer(at, self.conditioning)
        else:
            days = [at + day for day in self.conditioning]
        return [Dose(self.conditioning_route, self.depth, at=days), cells]


@dataclass(frozen=True, eq=False, kw_only=True)
class SalvageTherapy(Bundle):
    """Chemotherapy with a steroid when the leukemia has come back.

    A second immune suppression, months after the first: late reactivations of hepatitis B follow
    it. All numbers are assumed. Without `refractory` it acts on the event that the endpoint
    `remission` reports as `relapse`, by the same numbers and visits; with it also on leukemia that
    never went, which for the endpoint is no relapse.

    Parameters
    ----------
    leukemia : str
        Observable, cells.
    refractory : bool
        Whether leukemia that never was in remission is treated too, when it is seen with as many
        cells as a relapse. The rule is then called `relapsed_or_refractory`, else `relapse`.
    remission : float or array
        Cells below which the leukemia is in remission. 1e8 is an MRD of 1e-4 of 1e12 marrow cells.
    relapse : float or array
        Cells from which it is a relapse. 5e10 is 5 % of 1e12 marrow cells.
    every : float
        Interval between visits, days.
    start : float
        First visit, days; after the response to the cells, which is looked for from one visit
        earlier on.
    courses : int
        Courses of chemotherapy.
    interval : float
        Days from one course to the next.
    depth : float or array
        How deep a course is, in multiples of a standard day of conditioning.
    dexamethasone : float or array
        Daily amount, mg.
    days : float
        Days of dexamethasone in a course.
    delay : float or array
        Days from the visit to the first course.
    route, steroid_route : str
        Routes of the chemotherapy and of dexamethasone.
    """

    leukemia: str = "leukemia"
    refractory: bool = True
    remission: PerPatient = 1e8
    relapse: PerPatient = 5e10
    every: float = 28.0
    start: float = 56.0
    courses: int = 2
    interval: float = 28.0
    depth: PerPatient = 2.0
    dexamethasone: PerPatient = 20.0
    days: float = 7.0
    delay: PerPatient = 7.0
    route: str = "lymphodepletion"
    steroid_route: str = "dexamethasone"

    def __post_init__(self) -> None:
        where = "SalvageTherapy"
        check_names(where, self, "leukemia", "route", "steroid_route")
        check_flag(where, self, "refractory")
        check_numbers(where, self, "remission", "relapse", "depth", "dexamethasone", "delay")
        check_plain(where, self, "every", "interval", "days", above=0.0)
        check_plain(where, self, "start")
        store(self, courses=whole(where, "courses", self.courses, at_most=100))
        if np.any(np.asarray(self.relapse) < self.remission):
            raise ScenarioError(
                f"{where}: relapse is below remission. A relapse comes after a remission: give the "
                f"same number of cells or more."
            )
        self.parts()

    def parts(self) -> Mapping[str, Item]:
        """The rule that acts, and without `refractory` one that notes the remission before."""
        chemotherapy = Dose(self.route, self.depth, every=self.interval, count=self.courses)
        steroid = Infusion(
            self.steroid_route,
            duration=self.days,
            rate=self.dexamethasone,
            every=self.interval,
            count=self.courses,
        )
        treated = Rule(
            self.leukemia,
            above=self.relapse,
            do=(chemotherapy, steroid),
            every=self.every,
            start=self.start,
            delay=self.delay,
        )
        if self.refractory:
            return {"relapsed_or_refractory": treated}
        remission = Rule(
            self.leukemia,
            below=self.remission,
            strict=True,
            every=self.every,
            start=self.start - self.every,
        )
        return {
            "remission": remission,
            "relapse": dataclasses.replace(treated, after="remission"),
        }


def recovery_rules(
    b_cells: str,
    aplastic_below: PerPatient,
    recovered_above: PerPatient,
    every: float,
    start: float | None,
    consecutive: int,
    *actions: Action,
    delay: PerPatient = 0.0,
) -> dict[str, Item]:
    """Return the rules that act when B cells are back after they had gone.

    Parameters
    ----------
    b_cells : str
        Observable, cell/uL.
    aplastic_below, recovered_above : float or array
        Counts, cell/uL.
    every, start : float
        Interval between counts, and the first, days.
    consecutive : int
        Counts in a row for a recovery.
    *actions : Dose, Infusion, ...
        What is done then.
    delay : float or array
        Days until it is done.
    """
    return {
        "aplasia": Rule(b_cells, below=aplastic_below, every=every, start=start),
        "recovery": Rule(
            b_cells,
            above=recovered_above,
            do=actions,
            every=every,
            start=start,
            consecutive=consecutive,
            delay=delay,
            after="aplasia",
        ),
    }


def _list(
    where: str, name: str, value: object, *, at_least: float = -math.inf
) -> tuple[float, ...]:
    """Check a list of numbers for all patients."""
    if isinstance(value, np.ndarray):
        raise ScenarioError(f"{where}: {name} is an array. Give a list for all patients.")
    return tuple(columns(series(where, name, value, at_least=at_least))[0].tolist())
