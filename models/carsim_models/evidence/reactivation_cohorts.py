"""Cohorts in whom hepatitis B came back: after CAR-T cells, and after chemotherapy.

Every cohort has its own therapy, serostatus, definition of reactivation, visits and follow-up.
Chemotherapy is six cycles of CHOP, three weeks apart: `Spread.chop` units of lymphodepletion and,
for five days, prednisone 100 mg a day, taken for 15 mg of dexamethasone (equivalent, assumed).
Rituximab is one dose of anti-CD20 a cycle. CAR-T patients get flu/cy, the cells, care of cytokine
release, and chemotherapy if the leukemia relapses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carsim import (
    Discontinue,
    Dose,
    Hazard,
    Infusion,
    Maximum,
    Population,
    Solver,
    load_model,
    simulate,
)
from carsim.endpoints import HBVReactivation, HepatitisFlare, Kept, Setting
from carsim.population import Component, Mixture
from carsim.therapy import Item
from carsim.therapy.strategies import CytokineReleaseCare, SalvageTherapy
from carsim_models.cart_hbv.populations import (
    Spread,
    car_t_differences,
    virus_differences,
)

Array = NDArray[np.float64]

MONTH = 365.25 / 12
WEEK = 7.0

# Limit of detection of HBV DNA, IU/mL, by the hybridization assays that trials before 2003 used:
# assumed, about 1e5 copies/mL.
ASSAY_OF_2003 = 2e4

# The same in the CAR-T cohorts from China: the 100 IU/mL of Li 2021, assumed for the others.
ASSAY_OF_THE_TRIALS = 100.0


def car_t_therapy() -> dict[str, Item]:
    """Flu/cy, 7e7 cells (1e6/kg), care of cytokine release, chemotherapy at relapse."""
    return {
        "conditioning": Dose("lymphodepletion", 1.0, [-5.0, -4.0, -3.0]),
        "cells": Dose("car_t", 7e7, 0.0),
        "care": CytokineReleaseCare(),
        "salvage": SalvageTherapy(),
    }


def chemotherapy(
    s: Spread, *, steroid: bool = True, rituximab: bool = True, cycles: int = 6
) -> dict[str, Item]:
    """Cycles of CHOP, with or without prednisone and rituximab, from day 0 on."""
    made: dict[str, Item] = {
        "cytotoxic": Dose("lymphodepletion", s.chop, 0.0, every=21.0, count=cycles)
    }
    if steroid:
        made["prednisone"] = Infusion(
            "dexamethasone", 0.0, duration=5.0, rate=15.0, every=21.0, count=cycles
        )
    if rituximab:
        made["rituximab"] = Dose("anti_cd20", 1.0, 0.0, every=21.0, count=cycles)
    return made


def antiviral(s: Spread, start: float, stop: float) -> dict[str, Item]:
    """Entecavir, 0.5 mg a day as its average, that some patients give up (`Spread.dropout`)."""
    return {
        "antiviral": Infusion("entecavir", start, stop=stop, rate=0.5),
        "dropout": Hazard(s.dropout, do=Discontinue("antiviral")),
    }


@dataclass(frozen=True, eq=False)
class Courses:
    """What the visits show.

    Attributes
    ----------
    day : float64 array, shape (n_times,)
        Start of the simulation, baseline and visits.
    status : str array, shape (n,)
        Serostatus.
    saved : dict of str to float64 array, shape (n, n_times)
        HBV DNA (IU/mL), HBsAg (IU/mL) and ALT (U/L).
    alt_peak : float64 array, shape (n,)
        Highest ALT, U/L.
    """

    day: Array
    status: NDArray[np.str_]
    saved: Mapping[str, Array]
    alt_peak: Array

    def reactivation(
        self,
        definition: str,
        *,
        every: float = 28.0,
        baseline: float | None = None,
        detection_limit: float = 10.0,
    ) -> Array:
        """Day at which reactivation is found, infinite without it, shape (n,)."""
        endpoint = HBVReactivation(
            definition,
            every=every,
            baseline="start" if baseline is None else baseline,
            detection_limit=detection_limit,
        )
        found = endpoint.evaluate(self._kept())
        happened = found["hbv_reactivation"].values
        day = found["hbv_reactivation_time"].values
        return np.where(np.isnan(happened), np.nan, np.where(happened == 1.0, day, np.inf))

    def flare(self) -> Array:
        """1 for a hepatitis flare (AASLD 2018), 0 without, shape (n,)."""
        found = HepatitisFlare().evaluate(self._kept())
        return np.asarray(found["hepatitis_flare"].values)

    def _kept(self) -> Kept:
        """The courses as an endpoint sees them; CAR-T cells are given on day 0."""
        first, last = float(self.day[0]), float(self.day[-1])
        return Kept(
            Setting(load_model("cart_hbv"), first, last),
            np.full(len(self.status), last),
            self.day,
            self.saved,
            {"alt_peak": self.alt_peak},
        )


def run(
    s: Spread,
    components: Sequence[Component],
    therapy: Mapping[str, Item],
    n: int,
    seed: int,
    *,
    stop: float,
    start: float = -14.0,
    baseline: float | None = None,
    car_t: bool = False,
) -> Courses:
    """Simulate a cohort.

    Parameters
    ----------
    s : Spread
        How far patients differ.
    components : sequence of Component
        Serostatus.
    therapy : mapping of str to items
        What is given.
    n, seed : int
        Patients and root of their random numbers.
    stop, start : float
        Days.
    baseline : float, optional
        Day of an extra measurement.
    car_t : bool
        Patients with leukemia, not only with the virus.
    """
    differences = virus_differences(s)
    if car_t:
        differences |= car_t_differences(s, "adult", (1e8, 1e12))
    days = {start, *np.arange(0.0, stop + 1e-9, 28.0).tolist()}
    if baseline is not None:
        days.add(baseline)
    result = simulate(
        load_model("cart_hbv"),
        variants=["19-BBz"],
        parameters={"leukemia.mu": 0.0, **({} if car_t else {"leukemia.initial_cells": 0.0})},
        population=Population(
            n,
            seed,
            differences,
            {("hbv.beta_p", "hbv.E_0"): 0.8} if _any_resolved(components) else {},
            Mixture("serostatus", components, stratified=True),
        ),
        therapy=therapy,
        start=start,
        stop=stop,
        save_at=sorted(days),
        outputs=["hbv_dna", "hbsag", "alt"],
        metrics={"alt_peak": Maximum("alt")},
        solver=Solver(rtol=1e-4),
    )
    return Courses(
        result["time"].to_numpy(),
        result["serostatus"].to_numpy(),
        {name: result[name].to_numpy() for name in ("hbv_dna", "hbsag", "alt")},
        result["alt_peak"].to_numpy(),
    )


def _any_resolved(components: Sequence[Component]) -> bool:
    return any("hbv.E_0" in component.parameters for component in components)


def happened(days: Array, until: float = np.inf) -> Array:
    """1 for an event by then, 0 without, NaN for a failed patient."""
    event = np.isfinite(days) & (days <= until)
    return np.where(np.isnan(days), np.nan, event.astype(np.float64))


def share(days: Array, until: float = np.inf) -> float:
    """Share of patients with an event by a day; failed patients do not count."""
    return float(np.nanmean(happened(days, until)))
