"""Death as a competing event, added to a finished result.

No model here lets a patient die. Because death ends a course but changes nothing before it, its
time can be drawn after the run: the event happens where the integral of the hazard meets a number
from the exponential distribution with mean 1, as for `carsim.Hazard` in the engine. The hazard has
two levels, before and after the treatment has failed (no remission, or relapse).

Off unless asked for, and *not* HBV mortality: the rates are those of the leukemia trials, in which
nobody is known to have died of hepatitis B.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from carsim.endpoints.clock import check_clock, infusion_of
from carsim.endpoints.requirements import Array
from carsim.errors import ScenarioError, unknown
from carsim.streams import check_seed, uniforms

if TYPE_CHECKING:
    import xarray as xr

_DAYS_PER_MONTH = 365.25 / 12.0

REMISSION_LOST_BY_DEATH = 1.0 - 0.51 / (1.0 - 0.44 / 0.96)
"""Share of the losses of remission that are deaths, 5.8 % (derived).

Dourthe 2021, doi:10.1038/s41375-021-01281-7: at 18 months event-free survival is 44 % and the
cumulative incidence of relapse 51 %, remission having been reached by 96 %; the incidence is taken
to be of those in remission (assumed: of all infused the share would be 1.9 %).
"""


@dataclass(frozen=True)
class Mortality:
    """Constant hazards of death while in remission, and after the treatment has failed.

    Parameters
    ----------
    in_remission : float
        Hazard (1/day) from infusion until relapse; of all but those who never reach remission.
    after_failure : float
        Hazard (1/day) after relapse, and from infusion on without remission.
    source : str
        Where the numbers are from.
    """

    in_remission: float
    after_failure: float
    source: str

    def __post_init__(self) -> None:
        for name in ("in_remission", "after_failure"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0.0):
                raise ScenarioError(
                    f"Mortality: {name} = {value!r} must be a hazard per day, 0 or above."
                )

    @classmethod
    def from_survival(
        cls,
        *,
        remission: float,
        event_free: float,
        overall: float,
        months: float,
        source: str,
        deaths: float = REMISSION_LOST_BY_DEATH,
    ) -> Mortality:
        """Hazards that give a trial's event-free and overall survival at one time.

        Remission is lost, by relapse or death, at a constant hazard from the infusion on; those
        without remission have failed at the infusion; after failure patients die at a constant
        hazard. The first hazard is closed, the last is found by bisection.

        Parameters
        ----------
        remission : float
            Share that reaches remission.
        event_free, overall : float
            Event-free survival (events: no remission, relapse, death) and overall survival.
        months : float
            When, in months of 365.25/12 days.
        source : str
            Where the numbers are from.
        deaths : float
            Share of the losses of remission that are deaths.

        Raises
        ------
        ScenarioError
            Not 0 < event_free < overall < 1, event_free above remission, or no such hazard.
        """
        if not (0.0 < event_free < min(overall, remission) and overall < 1.0 >= remission):
            raise ScenarioError(
                f"Mortality: remission {remission!r}, event-free survival {event_free!r} and "
                f"overall survival {overall!r} must be shares, event-free survival the smallest."
            )
        time = months * _DAYS_PER_MONTH
        lost = np.log(remission / event_free) / time
        relapse = (1.0 - deaths) * lost

        def alive(hazard: float) -> float:
            # of those who relapse at u, exp(-hazard (time - u)) are alive; integrated over u
            gap = (hazard - lost) * time
            spread = 1.0 if gap == 0.0 else -np.expm1(-gap) / gap
            relapsed = remission * relapse * time * np.exp(-lost * time) * spread
            return float(event_free + (1.0 - remission) * np.exp(-hazard * time) + relapsed)

        low, high = 0.0, 1.0
        if alive(low) < overall:
            raise ScenarioError(
                f"Mortality: with {deaths:.1%} of the losses of remission by death at most "
                f"{alive(low):.1%} can be alive, but overall survival is {overall:.1%}."
            )
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if alive(middle) > overall else (low, middle)
        return cls(float(deaths * lost), high, source)


MORTALITY: Mapping[str, Mortality] = MappingProxyType(
    {
        "Dourthe 2021": Mortality.from_survival(
            remission=0.96,
            event_free=0.44,
            overall=0.74,
            months=18.0,
            source="derived from doi:10.1038/s41375-021-01281-7 (n = 51 children): remission, and "
            "event-free and overall survival at 18 months",
        ),
        "CIBMTR": Mortality.from_survival(
            remission=0.855,
            event_free=0.524,
            overall=0.772,
            months=12.0,
            source="derived from the CIBMTR registry of tisagenlecleucel: remission, and "
            "event-free and overall survival at 12 months",
        ),
        "Laetsch 2022": Mortality.from_survival(
            remission=0.82,
            event_free=0.44,
            overall=0.63,
            months=36.0,
            source="derived from doi:10.1200/JCO.22.00642 (ELIANA, n = 79): remission, and "
            "event-free and overall survival at 3 years",
        ),
    }
)
"""Hazards of death by study, derived from its survival; a constant hazard is assumed."""


def draw_deaths(
    dataset: xr.Dataset,
    mortality: Mortality | str,
    *,
    follow_up: float,
    seed: int | None = None,
    origin: float | None = None,
    dim: str = "patient",
) -> xr.Dataset:
    """Draw the death of every patient of a result, given the course of the leukemia.

    The draw of a patient depends on (seed, stream "death", patient) only, so it is the same in all
    cells: strategies are compared on common random numbers.

    Parameters
    ----------
    dataset : xarray.Dataset
        Result with the variables of the endpoint `Remission`: `remission`, `relapse` and
        `relapse_time`, and whole numbers of patients along `dim`.
    mortality : Mortality or str
        Hazards, or a name in `MORTALITY`.
    follow_up : float
        End of follow-up (day of the simulation).
    seed : int, optional
        Seed; that of the result's population by default.
    origin : float, optional
        Day from which patients may die, on the clock of `relapse_time`; the infusion by default.
    dim : str
        Dimension of the patients.

    Returns
    -------
    xarray.Dataset
        `death` (1, 0) and `death_time` (day; NaN without death), in the dimensions of `remission`;
        both NaN for failed patients. Put beside the others by `dataset.assign(deaths)`.

    Raises
    ------
    ScenarioError
        A variable is missing, no such mortality, neither a seed nor a population with one, or a
        time of relapse that is not on the simulation's clock.
    """
    import xarray as xr

    if isinstance(mortality, str):
        if mortality not in MORTALITY:
            raise ScenarioError(unknown("mortality", mortality, MORTALITY, "carsim"))
        mortality = MORTALITY[mortality]
    for name in ("remission", "relapse", "relapse_time"):
        if name not in dataset:
            raise ScenarioError(
                unknown("variable", name, map(str, dataset.data_vars), "the result")
                + " Death needs the endpoint 'remission'."
            )
    clock = check_clock("draw_deaths", dataset, "relapse_time")
    origin = infusion_of(dataset) if origin is None else origin
    if dim not in dataset["remission"].dims:
        raise ScenarioError(
            unknown("dimension", dim, map(str, dataset["remission"].dims), "draw_deaths")
        )
    if seed is None:
        if "seed" not in dataset.attrs:
            raise ScenarioError("draw_deaths: the result has no seed. Give one, such as seed=1.")
        seed = int(dataset.attrs["seed"])
    check_seed(seed, "draw_deaths")

    patients = np.asarray(dataset[dim].values)
    if patients.dtype.kind not in "iu":
        raise ScenarioError(
            f"draw_deaths: the values of '{dim}' must be the patients' whole numbers, from which "
            "their random numbers follow."
        )
    table = dataset[["remission", "relapse", "relapse_time"]].transpose(..., dim)
    dims = table["remission"].dims
    remission, relapse, relapse_time = (
        np.asarray(table[name].values, dtype=np.float64) for name in table.data_vars
    )
    failed = np.isnan(remission)
    failure = np.where(relapse == 1.0, relapse_time, np.inf)
    failure = np.where(remission == 1.0, failure, origin)
    drawn = -np.log(uniforms(seed, "death", patients.astype(np.int64)))
    when = _time_of(mortality, drawn, failure, origin)
    died = (when <= follow_up) & ~failed
    return xr.Dataset(
        {
            "death": (
                dims,
                np.where(failed, np.nan, died * 1.0),
                {"units": "1", "carsim_units": "1", "long_name": "Death"},
            ),
            "death_time": (
                dims,
                np.where(died, when, np.nan),
                {
                    "units": "day",
                    "carsim_units": "day",
                    "long_name": "Day of death",
                    "clock": clock,
                },
            ),
        },
        coords=table["remission"].coords,
        attrs={
            "mortality": mortality.source,
            "in_remission": mortality.in_remission,
            "after_failure": mortality.after_failure,
            "seed": str(seed),
        },
    )


def _time_of(mortality: Mortality, drawn: Array, failure: Array, origin: float) -> Array:
    """Where the integral of the hazard, which changes at `failure`, meets the drawn number."""
    first, second = mortality.in_remission, mortality.after_failure
    with np.errstate(divide="ignore", invalid="ignore"):
        early = origin + drawn / first
        # 0 * inf: no hazard at all in a remission that lasts
        spent = np.where(first > 0.0, first * (failure - origin), 0.0)
        late = failure + (drawn - spent) / second
    return np.where(early <= failure, early, late)
