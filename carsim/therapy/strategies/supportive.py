"""What supports the patient or the cells: immunoglobulin, vaccination."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from carsim.therapy.doses import Dose
from carsim.therapy.regimens import Bundle
from carsim.therapy.rules import Rule
from carsim.therapy.strategies.checks import check_names, check_numbers, check_plain
from carsim.therapy.values import Item, PerPatient, Series, series, store


@dataclass(frozen=True, eq=False, kw_only=True)
class ImmunoglobulinReplacement(Bundle):
    """Intravenous immunoglobulin at each visit at which IgG is low.

    Parameters
    ----------
    below : float or array
        IgG at or below which it is given, g/L. 4 is assumed (common practice, no source read).
    amount : float or array
        Rise of IgG in serum, g/L. 4 is assumed: 0.4 g/kg in 70 kg over about 7 L.
    every : float
        Interval between visits, days (assumed: monthly).
    start, until : float, optional
        First visit, and the time before which the last one is, days; the infusion on day 0 and the
        stop of the simulation by default.
    igg : str
        Observable, g/L.
    route : str
        Route of immunoglobulin, g/L.

    Notes
    -----
    In the flagship it brings anti-HBs with it; in the clinic also anti-HBc, which can pass for a
    past infection for weeks (Lu, Lancet Haematol).
    """

    below: PerPatient = 4.0
    amount: PerPatient = 4.0
    every: float = 28.0
    start: float = 0.0
    until: float | None = None
    igg: str = "igg"
    route: str = "ivig"

    def __post_init__(self) -> None:
        where = "ImmunoglobulinReplacement"
        check_names(where, self, "igg", "route")
        check_numbers(where, self, "below", "amount")
        check_plain(where, self, "every", above=0.0)
        check_plain(where, self, "start", "until")

    def parts(self) -> Mapping[str, Item]:
        """One rule."""
        return {
            "replacement": Rule(
                self.igg,
                below=self.below,
                do=Dose(self.route, self.amount),
                every=self.every,
                start=self.start,
                until=self.until,
                limit=None,
            )
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class VaccineBoost(Bundle):
    """Vaccinations that drive the CAR-T cells through a second receptor.

    The idea is that of Rossig 2017 (doi:10.1038/leu.2017.39): 56 days of persistence (median) with
    and none without vaccination. The schedule is assumed.

    Parameters
    ----------
    at : float, list or array
        Days of the vaccinations, or with `every` the first day.
    every : float or array, optional
        Interval at which all days of `at` are repeated.
    count : int or array, optional
        How often in all; with `every` alone vaccination goes on to the end of the simulation.
    amount : float or array
        One vaccination is 1.
    route : str
        Route of the vaccine.
    """

    at: Series = (30.0, 60.0, 90.0)
    every: PerPatient | None = None
    count: PerPatient | None = None
    amount: PerPatient = 1.0
    route: str = "vaccine"

    def __post_init__(self) -> None:
        where = "VaccineBoost"
        check_names(where, self, "route")
        check_numbers(where, self, "amount")
        store(self, at=series(where, "at", self.at))
        self.parts()

    def parts(self) -> Mapping[str, Item]:
        """All vaccinations as one item."""
        dose = Dose(self.route, self.amount, at=self.at, every=self.every, count=self.count)
        return {"vaccinations": dose}
