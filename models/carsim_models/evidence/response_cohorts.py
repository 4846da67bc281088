"""Trials of CD19 CAR-T cells in B-ALL: remission, relapse, CD19 at relapse, B cells, IgG.

Virtual patients get flu/cy, the cells and no second therapy. Marrow is
looked at every 28 days. The marrow holds 1e12 cells, so that 5 % blasts are 5e10:

- complete remission: fewer than 5 % blasts on day 28 and at least ten times fewer than before;
- relapse: 5 % blasts again, after a remission;
- event-free survival: until relapse, or 0 without remission. Deaths in remission, which the trials
  count, are not modeled.
- B-cell aplasia: fewer than 10 per uL.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carsim import Dose, Maximum, Population, Solver, load_model, simulate
from carsim.population import Distribution
from carsim.therapy import Item
from carsim.therapy.strategies import CytokineReleaseCare
from carsim_models.cart_hbv.populations import Age, Spread, car_t_differences

Array = NDArray[np.float64]

FIVE_PERCENT = 5e10
APLASTIC = 10.0
MONTH = 365.25 / 12


@dataclass(frozen=True)
class Trial:
    """One arm: product, patients, cells infused and follow-up.

    Attributes
    ----------
    product : str
        Variant.
    age : {"adult", "child"}
        Age group.
    burden : (float, float)
        Least and largest leukemia, cells.
    cells : float
        Infused cells.
    stop : float
        End of follow-up, days.
    """

    product: str
    age: Age
    burden: tuple[float, float]
    cells: float
    stop: float


CHILDREN = Trial("19-BBz", "child", (1e9, 1e12), 1.2e8, 1120.0)
ADULTS = Trial("19-28z", "adult", (1e8, 1e12), 1.4e8, 896.0)


@dataclass(frozen=True, eq=False)
class Courses:
    """What the visits show, arrays of shape (n,) or (n, n_visits).

    Attributes
    ----------
    day : float64 array, shape (n_visits,)
        Visits, the first on day 28.
    burden : array
        Leukemia before therapy, cells.
    leukemia, negative, b_cells, igg : array
        At the visits: cells, CD19- cells, cell/uL, g/L.
    igg_before : array
        IgG before therapy.
    worst : dict of str to array
        Largest IL-6 signal, CRS grade, CAR-T count (cell/uL), CRP (mg/L) and IL-6 (pg/mL).
    """

    day: Array
    burden: Array
    leukemia: Array
    negative: Array
    b_cells: Array
    igg: Array
    igg_before: Array
    worst: Mapping[str, Array]

    @property
    def remission(self) -> NDArray[np.bool_]:
        """Complete remission on day 28."""
        first = self.leukemia[:, 0]
        return (first < FIVE_PERCENT) & (first < 0.1 * self.burden)

    @property
    def relapse_day(self) -> Array:
        """Day of relapse, infinite without; NaN without remission."""
        back = self.leukemia >= FIVE_PERCENT
        day = np.where(back.any(axis=1), self.day[back.argmax(axis=1)], np.inf)
        return np.where(self.remission, day, np.nan)

    @property
    def event_day(self) -> Array:
        """Day of the first event: 0 without remission, else relapse."""
        return np.where(self.remission, self.relapse_day, 0.0)

    @property
    def recovery_day(self) -> Array:
        """Day at which B cells are back, infinite if they never are."""
        back = self.b_cells >= APLASTIC
        return np.where(back.any(axis=1), self.day[back.argmax(axis=1)], np.inf)

    @property
    def negative_at_relapse(self) -> Array:
        """1 when most cells of the relapse lack CD19, 0 when not, NaN without relapse."""
        at = (self.leukemia >= FIVE_PERCENT).argmax(axis=1)[:, None]
        share = np.take_along_axis(self.negative, at, 1) / np.take_along_axis(self.leukemia, at, 1)
        relapsed = np.isfinite(self.relapse_day)
        return np.where(relapsed, share[:, 0] > 0.5, np.nan)


def therapy_of(trial: Trial, *, depth: float = 1.0, care: bool = False) -> dict[str, Item]:
    """Conditioning of some depth, the cells and, if wanted, the care of cytokine release."""
    made: dict[str, Item] = {
        "conditioning": Dose("lymphodepletion", depth, [-5.0, -4.0, -3.0]),
        "cells": Dose("car_t", trial.cells, 0.0),
    }
    return {**made, "care": CytokineReleaseCare()} if care else made


def run(
    trial: Trial,
    s: Spread,
    n: int,
    seed: int,
    *,
    therapy: Mapping[str, Item] | None = None,
    parameters: Mapping[str, Distribution | float] | None = None,
) -> Courses:
    """Simulate patients of a trial.

    Parameters
    ----------
    trial : Trial
        Product, patients, follow-up.
    s : Spread
        How far patients differ.
    n, seed : int
        Patients and root of their random numbers.
    therapy : mapping of str to items, optional
        In place of `therapy_of`.
    parameters : mapping of str to Distribution or float, optional
        What else is different in these patients.
    """
    differences: dict[str, Distribution | float] = {
        **car_t_differences(s, trial.age, trial.burden),
        "leukemia.mu": 0.0,
    }
    result = simulate(
        load_model("cart_b_all"),
        variants=[trial.product],
        population=Population(n, seed, {**differences, **(parameters or {})}),
        therapy=therapy_of(trial) if therapy is None else therapy,
        start=-7.0,
        stop=trial.stop,
        save_at=[-7.0, *np.arange(28.0, trial.stop + 1.0, 28.0)],
        outputs=["leukemia", "leukemia_cd19_negative", "b_cells", "igg"],
        metrics={
            "peak_signal": Maximum("il6_signal"),
            "worst_grade": Maximum("crs_grade"),
            "peak_cells": Maximum("car_t"),
            "peak_crp": Maximum("crp"),
            "peak_il6": Maximum("il6"),
        },
        solver=Solver(rtol=1e-4),
    )
    leukemia, igg = result["leukemia"].to_numpy(), result["igg"].to_numpy()
    return Courses(
        result["time"].to_numpy()[1:],
        leukemia[:, 0],
        leukemia[:, 1:],
        result["leukemia_cd19_negative"].to_numpy()[:, 1:],
        result["b_cells"].to_numpy()[:, 1:],
        igg[:, 1:],
        igg[:, 0],
        {
            name: result[name].to_numpy()
            for name in ("peak_signal", "worst_grade", "peak_cells", "peak_crp", "peak_il6")
        },
    )
