"""Care for cytokine release: tocilizumab, then dexamethasone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from carsim.errors import ScenarioError
from carsim.therapy.doses import Dose
from carsim.therapy.regimens import Bundle
from carsim.therapy.rules import Discontinue, Rule
from carsim.therapy.strategies.checks import (
    HOUR,
    check_names,
    check_numbers,
    check_plain,
    visits_within,
)
from carsim.therapy.values import Item, PerPatient, store, whole

LIGHT = 30.0
"""Weight below which children get more tocilizumab per kg, kg."""

MOST_IN_A_DAY = 3

MOST_COURSES = 10
"""How often each of the two reasons may begin dexamethasone."""

SETTLING = 60.0
"""Days behind the last visit for new treatment in which dexamethasone may still be ended."""


@dataclass(frozen=True, eq=False, kw_only=True)
class CytokineReleaseCare(Bundle):
    """Tocilizumab from grade 2 on, dexamethasone from grade 3 on or if tocilizumab fails.

    As CARTOX (Neelapu 2018) manages it: tocilizumab 8 mg/kg, 12 mg/kg below 30 kg, at most 800 mg,
    repeated every 8 hours, at most 3 in 24 hours and 4 in all; dexamethasone 10 mg every 6 hours.
    The 20 mg at grade 4 are left out.

    Parameters
    ----------
    weight : float or array
        Body weight, kg. 70 is assumed.
    tocilizumab_grade : float or array
        Grade from which tocilizumab is given (grade 2: Zhang 2022).
    tocilizumab_every : float
        Least interval between two doses and interval between the visits for it, days: 8 hours.
        CARTOX repeats after 6 hours; then 3 doses in all are the most, as 4 would fall into a day.
    tocilizumab_doses : int
        Most doses in all.
    dexamethasone_grade : float or array
        Grade from which dexamethasone is given.
    dexamethasone_dose : float or array
        Amount of one dose, mg.
    dexamethasone_every : float
        Interval between doses and between the visits for it, days: 6 hours.
    refractory_after : float
        How long a grade that asks for tocilizumab must last after tocilizumab, at every visit for
        dexamethasone, before it asks for dexamethasone too, days. 12 hours are assumed.
    settled_grade : float or array
        Grade at or below which dexamethasone ends (assumed).
    start, until : float
        First visit, and the time before which the last one is, days; 30 days from the infusion on
        day 0.
    grade : str
        Observable: grade of cytokine release, 0 to 4.
    tocilizumab, dexamethasone : str
        Routes, mg.

    Notes
    -----
    Dexamethasone that runs at `until` goes on until the grade is settled, which is looked at for 60
    days more. Neither reason for dexamethasone begins it while the other's is given. For a second
    infusion of cells give a second item with a `start` and `until` of its own.

    Examples
    --------
    >>> CytokineReleaseCare(weight=120.0).tocilizumab_amount
    800.0
    """

    weight: PerPatient = 70.0
    tocilizumab_grade: PerPatient = 2.0
    tocilizumab_every: float = 8 * HOUR
    tocilizumab_doses: int = 4
    dexamethasone_grade: PerPatient = 3.0
    dexamethasone_dose: PerPatient = 10.0
    dexamethasone_every: float = 6 * HOUR
    refractory_after: float = 12 * HOUR
    settled_grade: PerPatient = 1.0
    start: float = 0.0
    until: float = 30.0
    grade: str = "crs_grade"
    tocilizumab: str = "tocilizumab"
    dexamethasone: str = "dexamethasone"

    def __post_init__(self) -> None:
        where = "CytokineReleaseCare"
        check_names(where, self, "grade", "tocilizumab", "dexamethasone")
        check_numbers(where, self, "weight", "dexamethasone_dose")
        check_numbers(where, self, "tocilizumab_grade", "dexamethasone_grade", "settled_grade")
        check_plain(where, self, "tocilizumab_every", "dexamethasone_every", above=0.0)
        check_plain(where, self, "refractory_after", at_least=0.0)
        check_plain(where, self, "start", "until")
        doses = whole(where, "tocilizumab_doses", self.tocilizumab_doses, at_most=100)
        store(self, tocilizumab_doses=doses)
        if np.min(self.weight) <= 0.0:
            raise ScenarioError(
                f"{where}: weight = {float(np.min(self.weight)):g}. Give the body weight in kg."
            )
        in_a_day = math.ceil(min((1.0 - 1e-9) / self.tocilizumab_every, doses))
        if in_a_day > MOST_IN_A_DAY:
            raise ScenarioError(
                f"{where}: tocilizumab_every = {self.tocilizumab_every:g} allows {in_a_day} doses "
                f"in 24 hours, and {MOST_IN_A_DAY} are the most. Give tocilizumab_every = "
                f"{8 * HOUR:.4g}, or tocilizumab_doses = {MOST_IN_A_DAY}."
            )
        if np.any(np.asarray(self.dexamethasone_grade) < self.tocilizumab_grade):
            raise ScenarioError(
                f"{where}: dexamethasone_grade is below tocilizumab_grade. Dexamethasone comes "
                f"second: give the same grade or a higher one."
            )
        if np.any(np.asarray(self.settled_grade) >= self.tocilizumab_grade):
            raise ScenarioError(
                f"{where}: settled_grade is not below tocilizumab_grade. Dexamethasone would "
                f"end as soon as it begins: give a lower grade."
            )
        self.parts()

    @property
    def tocilizumab_amount(self) -> PerPatient:
        """Amount of one dose of tocilizumab, mg."""
        per_kg = np.where(np.asarray(self.weight) < LIGHT, 12.0, 8.0)
        with np.errstate(over="ignore"):  # of any weight beyond 100 kg the same
            amount = np.minimum(per_kg * self.weight, 800.0)
        return amount if amount.ndim else float(amount)

    def parts(self) -> Mapping[str, Item]:
        """Rules on the grade."""
        return {
            "tocilizumab": Rule(
                self.grade,
                above=self.tocilizumab_grade,
                do=Dose(self.tocilizumab, self.tocilizumab_amount),
                every=self.tocilizumab_every,
                start=self.start,
                until=self.until,
                limit=self.tocilizumab_doses,
                spacing=self.tocilizumab_every,
            ),
            # Rules act in this order: what ends at a visit ends before its dose is given.
            "severe_settled": self._settled("severe"),
            "refractory_settled": self._settled("refractory"),
            "severe": self._dexamethasone(self.dexamethasone_grade, "refractory"),
            "refractory": self._dexamethasone(
                self.tocilizumab_grade,
                "severe",
                after="tocilizumab",
                # The first visit, and those of the hours after it.
                consecutive=visits_within(
                    "CytokineReleaseCare", self, "dexamethasone_every", self.refractory_after
                ),
            ),
        }

    def _settled(self, course: str) -> Rule:
        """End the dexamethasone of one of the two rules."""
        return Rule(
            self.grade,
            below=self.settled_grade,
            do=Discontinue(course),
            every=self.dexamethasone_every,
            start=self.start,
            until=self.until + SETTLING,
            limit=None,
            while_running=course,
        )

    def _dexamethasone(
        self, above: PerPatient, other: str, *, after: str | None = None, consecutive: int = 1
    ) -> Rule:
        """Begin dexamethasone when a grade is seen, unless the other reason has begun it."""
        return Rule(
            self.grade,
            above=above,
            do=Dose(
                self.dexamethasone,
                self.dexamethasone_dose,
                every=self.dexamethasone_every,
            ),
            every=self.dexamethasone_every,
            start=self.start,
            until=self.until,
            limit=MOST_COURSES,
            after=after,
            consecutive=consecutive,
            unless_running=True,
            unless=other,
        )
