"""Step 1: the typical course of CAR-T cells, B cells and IL-6, by least squares.

    python models/calibration/typical_courses.py

Two typical patients of each product, one with little and one with much leukemia, are brought near
published typical courses. What the two products share (engraftment, killing, room, macrophages) is
fitted once; division, contraction, memory and exhaustion are fitted for each. A normal prior in the
logarithm (in the logit for f_self) holds every parameter near the value that the model had from
other papers. Prints the fitted values, and target against fit; writes typical_courses.json.

All patients of a Gauss-Newton step (both signs of every parameter's difference) are lanes of one
simulation.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, least_squares

from carsim import Dose, Maximum, Scenario, Solver, load_model, simulate

Array = NDArray[np.float64]

PRODUCTS = ("19-BBz", "19-28z")
BURDENS = np.array([3e9, 2e11])  # about 0.3 and 20 % blasts
TIMES = np.unique(np.concatenate([np.arange(-7.0, 40.0, 0.25), np.arange(40.0, 401.0, 5.0)]))
# 1/day; between 0.033 (Leon-Triana 2021) and 0.09 (Liu 2022). The next step finds its median.
GROWTH = 0.07

# Cells infused: 3.1e6/kg x 39 kg (Stein 2019), 2e6/kg x 70 kg (19-28z, assumed).
DOSES = {"19-BBz": 1.2e8, "19-28z": 1.4e8}


@dataclass(frozen=True)
class Knob:
    """A fitted parameter: prior median, prior standard deviation (log or logit) and bounds."""

    name: str
    median: float
    sd: float
    low: float
    high: float
    shared: bool = False


KNOBS = (
    Knob("cart.engraftment", 0.03, 0.7, 0.01, 0.1, shared=True),
    Knob("cart.k_B", 1e8, 1.0, 2e7, 1e9, shared=True),
    Knob("cart.K_T", 200.0, 0.4, 80.0, 500.0, shared=True),
    Knob("cart.r_M", 0.01, 0.7, 0.002, 0.03, shared=True),
    Knob("cytokine.F_50", 2e10, 0.7, 2e9, 1e11, shared=True),
    Knob("cytokine.k_Q", 0.1, 0.5, 0.03, 0.5, shared=True),
    Knob("cart.r_E", 1.5, 0.2, 1.0, 1.9),
    Knob("cart.d_E", 0.16, 0.4, 0.1, 0.4),
    Knob("cart.eta", 0.003, 1.0, 0.0002, 0.02),
    Knob("cart.d_M", 0.005, 0.7, 0.001, 0.05),
    Knob("cart.f_self", 0.5, 1.5, 0.01, 0.98),
    Knob("cart.k_X", 0.03, 0.7, 0.01, 0.2),
)


@dataclass(frozen=True)
class Target:
    """A typical value of both patients (little and much leukemia), and how exactly it is meant.

    `sd` is in the unit of the value; with `log`, of its natural logarithm.
    """

    name: str
    values: tuple[float, float]
    sd: float
    source: str
    log: bool = True


STEIN = "doi:10.1002/psp4.12388, Table 1, typical patient"
MOFFITT = "doi:10.1098/rspb.2021.0229, median counts after axi-cel, relative to day 7"
COUNT = "24,000 copies/ug are 12 to 320 cell/uL, by the conversion: order of magnitude only"
# Four of five aplastic (below 10 per uL) means a typical count well below.
RECALLED = "most patients of ELIANA were aplastic at 6 months (83 %, remembered, unverified)"
BRIEF = "19-28z persists for weeks to a few months (remembered, unverified)"
WANG = "doi:10.1111/ijlh.13375: CD19+ cells normal on day 79 (41 to 118) in ALL"
EARLY = "IL-6 peaks in the first week or soon after (remembered: days 3 to 8)"
ROOM = "little expansion without lymphodepletion (re-infusions, Blood Adv 8:2182); size assumed"
SIZE = "IL-6 peaks at some hundreds to some thousands of pg/mL, more with more leukemia (assumed)"

TARGETS: dict[str, tuple[Target, ...]] = {
    "19-BBz": (
        Target("day of the peak", (9.3, 9.3), 1.0, STEIN, log=False),
        Target("peak, cell/uL", (25.0, 100.0), 0.7, COUNT),
        Target("day 28 over peak", (0.0572, 0.0572), 0.5, STEIN),
        Target("day 90 over peak", (0.00610, 0.00610), 0.5, STEIN),
        Target("day 180 over peak", (0.00457, 0.00457), 0.5, STEIN),
        Target("day 365 over peak", (0.00253, 0.00253), 0.5, STEIN),
        Target("B cells on day 180, cell/uL", (3.0, 1.5), 0.5, RECALLED),
        Target("peak in 30 days without over with conditioning", (0.1, 0.1), 0.5, ROOM),
        Target("day of the IL-6 peak", (7.0, 6.0), 1.0, EARLY, log=False),
        Target("IL-6 at the peak, pg/mL", (300.0, 3000.0), 0.7, SIZE),
    ),
    "19-28z": (
        Target("day of the peak", (8.0, 8.0), 1.0, MOFFITT, log=False),
        Target("peak, cell/uL", (28.0, 100.0), 0.7, MOFFITT + "; more with more leukemia"),
        Target("day 28 over peak", (0.0764, 0.0764), 0.5, MOFFITT),
        Target("day 90 over peak", (0.00364, 0.00364), 0.7, MOFFITT),
        Target("B cells on day 79, cell/uL", (90.0, 60.0), 0.7, WANG),
        Target("B cells on day 180, cell/uL", (120.0, 110.0), 0.2, BRIEF),
        Target("peak in 30 days without over with conditioning", (0.1, 0.1), 0.5, ROOM),
        Target("day of the IL-6 peak", (6.0, 5.0), 1.0, EARLY, log=False),
        Target("IL-6 at the peak, pg/mL", (300.0, 3000.0), 0.7, SIZE),
    ),
}


def names() -> list[tuple[str, Knob]]:
    """All fitted numbers: the shared ones once, the others for each product."""
    own = [(product, knob) for product in PRODUCTS for knob in KNOBS if not knob.shared]
    return [("both", knob) for knob in KNOBS if knob.shared] + own


def to_line(knob: Knob, value: float | Array) -> Array:
    """Logarithm, or logit of a share."""
    value = np.asarray(value)
    return np.log(value / (1.0 - value)) if knob.name == "cart.f_self" else np.log(value)


def from_line(knob: Knob, line: Array) -> Array:
    """Inverse of `to_line`."""
    return 1.0 / (1.0 + np.exp(-line)) if knob.name == "cart.f_self" else np.exp(line)


def statistics(product: str, values: dict[str, Array]) -> dict[str, Array]:
    """Quantities of the targets, each of shape (m, 2), of m parameter vectors."""
    m = len(values["cart.r_E"])
    scenario = Scenario(
        load_model("cart_b_all"),
        variants=[product],
        parameters={
            **{name: np.repeat(value, 2) for name, value in values.items()},
            "leukemia.initial_cells": np.tile(BURDENS, m),
            "leukemia.r_L": GROWTH,
        },
        start=-7.0,
        stop=400.0,
        solver=Solver(rtol=1e-7),
    )
    cells = Dose("car_t", DOSES[product], 0.0)
    result = simulate(
        scenario,
        therapy={"conditioning": Dose("lymphodepletion", 1.0, [-5.0, -4.0, -3.0]), "cells": cells},
        save_at=TIMES,
        outputs=["car_t", "b_cells", "il6"],
        on_failure="raise",
    )
    crowded = simulate(
        scenario,
        therapy={"cells": cells},
        stop=30.0,
        save_at=[],
        metrics={"peak": Maximum("car_t")},
        on_failure="raise",
    )
    car_t, b_cells, il6 = (
        result[name].to_numpy().reshape(m, 2, -1) for name in ("car_t", "b_cells", "il6")
    )
    peak = car_t.max(axis=-1)
    found = {
        "peak in 30 days without over with conditioning": crowded["peak"].to_numpy().reshape(m, 2)
        / peak,
        "day of the peak": _day_of_peak(car_t),
        "peak, cell/uL": peak,
        "day of the IL-6 peak": _day_of_peak(il6),
        "IL-6 at the peak, pg/mL": il6.max(axis=-1),
    }
    for day in (28, 90, 180, 365):
        found[f"day {day} over peak"] = car_t[..., _column(day)] / peak
    for day in (79, 180):
        found[f"B cells on day {day}, cell/uL"] = b_cells[..., _column(day)]
    return found


def _column(day: float) -> int:
    return int(np.argmin(np.abs(TIMES - day)))


def _day_of_peak(values: Array) -> Array:
    """Vertex of the parabola through the highest saved points, smooth in the parameters."""
    logs = np.log(np.maximum(values, 1e-9))
    top = np.clip(logs.argmax(axis=-1), 1, len(TIMES) - 2)[..., None]
    before, at, after = (np.take_along_axis(logs, top + k, -1)[..., 0] for k in (-1, 0, 1))
    curvature = before - 2.0 * at + after
    step = np.where(np.abs(curvature) > 1e-14, 0.125 * (before - after) / curvature, 0.0)
    vertex: Array = TIMES[top[..., 0]] + step
    return vertex


def values_of(lines: Array, product: str) -> dict[str, Array]:
    """Parameters of a product from fitted lines, shape (m, n)."""
    return {
        knob.name: from_line(knob, lines[:, k])
        for k, (whose, knob) in enumerate(names())
        if whose in ("both", product)
    }


def residuals(lines: Array) -> Array:
    """Weighted misfits and prior misfits, shape (m, ...), of lines of shape (m, n)."""
    parts = []
    for product in PRODUCTS:
        found = statistics(product, values_of(lines, product))
        for target in TARGETS[product]:
            goal = np.array(target.values)
            value = found[target.name]
            parts.append((np.log(value / goal) if target.log else value - goal) / target.sd)
    prior = [
        (lines[:, [k]] - to_line(knob, knob.median)) / knob.sd
        for k, (_, knob) in enumerate(names())
    ]
    misfits: Array = np.nan_to_num(np.concatenate([*parts, *prior], axis=1), nan=50.0)
    return misfits


def jacobian(line: Array) -> Array:
    """Central differences of the residuals."""
    step = 1e-3
    moved = np.eye(len(line)) * step
    both = residuals(np.concatenate([line + moved, line - moved]))
    return ((both[: len(line)] - both[len(line) :]) / (2.0 * step)).T


def fit() -> OptimizeResult:
    """Solve the least-squares problem from the prior medians."""
    start = np.array([to_line(knob, knob.median) for _, knob in names()])
    low, high = (
        np.array([to_line(knob, bound) for (_, knob), bound in zip(names(), column, strict=True)])
        for column in zip(*[(knob.low, knob.high) for _, knob in names()], strict=True)
    )
    return least_squares(
        lambda line: residuals(line[None])[0], start, jacobian, bounds=(low, high), max_nfev=100
    )


def main() -> None:
    """Fit, print and write."""
    found = fit()
    # Standard errors in the logarithm (logit), as of a normal posterior; bounds are not in it.
    errors = np.sqrt(np.diag(np.linalg.inv(found.jac.T @ found.jac)))
    fitted = {
        whose: {
            knob.name: {"value": float(from_line(knob, line)), "sd_log": float(error)}
            for (owner, knob), line, error in zip(names(), found.x, errors, strict=True)
            if owner == whose
        }
        for whose in ("both", *PRODUCTS)
    }
    for whose, values in fitted.items():
        for name, entry in values.items():
            print(f"{whose:8s} {name:18s} {entry['value']:.4g} (x/ {np.exp(entry['sd_log']):.2f})")
    rows = []
    for product in PRODUCTS:
        here = statistics(product, values_of(found.x[None], product))
        for target in TARGETS[product]:
            value = here[target.name][0]
            print(
                f"{product} {target.name:48s} target {target.values[0]:.4g} {target.values[1]:.4g}"
                f"  fit {value[0]:.4g} {value[1]:.4g}"
            )
            rows.append(
                {
                    "product": product,
                    "quantity": target.name,
                    "target": target.values,
                    "fit": value.tolist(),
                    "source": target.source,
                }
            )
    file = Path(__file__).with_suffix(".json")
    file.write_text(json.dumps({"fitted": fitted, "targets": rows}, indent=1) + "\n")
    print(f"cost {found.cost:.2f}, {found.nfev} steps, written to {file}")


if __name__ == "__main__":
    main()
