"""Event tables through the engine: NONMEM's own output, closed forms, and what must not matter."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from carsim import Covariate, Dose, Infusion, Model, Reset, Scenario, Solver, load_model
from carsim.simulation import prepare, simulate, solve
from carsim.therapy import EventTable, Item, read_events
from tests.verification.linear_pk import Record, amounts
from tests.verification.random_regimens import COMPARTMENTS, GRID, LAST, Regimens, regimens

Array = NDArray[np.float64]

HERE = Path(__file__).parent
# Half a unit of the fifth digit, which is the last that NONMEM's tables print.
PRINTED = 5e-5
FINE = Solver(rtol=1e-9)
CLOSE = 1e-6
# A hundredth of the absolute tolerance of the model: a curve may lie below it all the time.
UNRESOLVED = 1e-10
REGIMENS = int(os.environ.get("CARSIM_REGIMENS", "1500"))
"""Random regimens that are compared; 10,000 are a bar, which takes minutes."""
COLUMNS: dict[str, Any] = {
    "lag": dict.fromkeys(COMPARTMENTS, "LAG"),
    "bioavailability": dict.fromkeys(COMPARTMENTS, "F"),
    "modeled_rate": dict.fromkeys(COMPARTMENTS, "R"),
    "modeled_duration": dict.fromkeys(COMPARTMENTS, "D"),
}


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(str(HERE / "two_compartments.py"))


def run(model: Model, table: EventTable, save_at: Array, *outputs: str, **more: Any) -> Array:
    """Outputs, shape (n_outputs, n_patients, n_times)."""
    result = simulate(
        model,
        therapy=table.therapy,
        parameters={**table.parameters, **more},
        start=table.start,
        stop=table.stop,
        save_at=save_at,
        outputs=outputs,
        solver=FINE,
        on_failure="raise",
    )
    return np.stack([result[name].values.reshape(-1, len(save_at)) for name in outputs])


# --- NONMEM ---------------------------------------------------------------------------------------


def test_every_row_of_run_1001(model: Model, suites: Path) -> None:
    """All 1985 rows: a value at a row is that after what happens at its time."""
    folder = suites / "nmtests"
    table = read_events(
        folder / "1001-data.csv",
        model,
        lag={2: "LAGT"},
        bioavailability={2: "BIOAV"},
        modeled_rate={2: "RAT2"},
        modeled_duration={2: "DUR2"},
        ignore=["MODE"],
    )
    printed = np.genfromtxt(folder / "1001-nm.csv", delimiter=",", names=True)
    assert len(printed) == 1985
    (values,) = run(model, table, table.save_at, "CP", CL=1.1, V=20.0, KA=1.5)
    patient = np.array([table.ids.index(f"{number:.0f}") for number in printed["ID"]])
    place = np.searchsorted(table.save_at, printed["TIME"])
    np.testing.assert_array_equal(table.save_at[place], printed["TIME"])
    np.testing.assert_allclose(values[patient, place], printed["CP"], rtol=PRINTED, atol=0.0)
    assert np.all((values[patient, place] == 0.0) == (printed["CP"] == 0.0))


def test_claret(suites: Path) -> None:
    """A model that depends on the time itself, and a covariate in its equations."""
    folder = suites / "nmtests" / "claret" / "c001"
    model = load_model(str(HERE / "claret.py"))
    table = read_events(folder / "claret001.csv", model, covariates=["DOSE"])
    printed = np.genfromtxt(folder / "nonmem-TAB.txt", skip_header=2)
    np.testing.assert_array_equal(table.save_at, printed[:, 1])
    (values,) = run(model, table, table.save_at, "size")
    np.testing.assert_allclose(values[0], printed[:, 2], rtol=PRINTED, atol=0.0)


# --- Covariates -----------------------------------------------------------------------------------


def weights(seed: int, number: int) -> tuple[pd.DataFrame, list[tuple[Array, Array, Array]]]:
    """Tables of boluses into the depot and of weights, of `number` patients."""
    rng = np.random.default_rng(seed)
    frames, patients = [], []
    for patient in range(number):
        times = np.unique(np.round(rng.uniform(0.0, 60.0, rng.integers(3, 25)), 1))
        doses = np.where(rng.random(times.size) < 0.3, rng.uniform(10.0, 100.0, times.size), 0.0)
        doses[0] = 100.0
        weight = rng.uniform(3.0, 120.0, times.size)
        columns = {"ID": patient, "TIME": times, "AMT": doses, "CMT": 1, "WT": weight}
        frames.append(pd.DataFrame(columns))
        patients.append((times, doses, weight))
    return pd.concat(frames), patients


def elimination(weight: float) -> float:
    """Rate constant of the central compartment; that of the depot is 1.5."""
    return float(1.1 * (weight / 70.0) ** 0.75 / 20.0)


def piecewise(times: Array, doses: Array, weight: Array, shown: Array, next_one: bool) -> Array:
    """Central amounts, in closed form from record to record."""
    depot, central, now, out = 0.0, 0.0, times[0], np.zeros(shown.size)
    for time in np.union1d(times, shown[shown >= times[0]]):
        # Of the record that ends the interval, or begins it; at the ends of the table the nearest.
        after = np.searchsorted(times, time)
        place = after if next_one else np.searchsorted(times, now, "right") - 1
        k = elimination(weight[min(place, times.size - 1)])
        absorbed, left = np.exp(-1.5 * (time - now)), np.exp(-k * (time - now))
        central = central * left + depot * 1.5 / (1.5 - k) * (left - absorbed)
        depot = depot * absorbed + doses[times == time].sum()
        out[shown == time] = central
        now = time
    return out


@pytest.mark.parametrize("interpolation", ["nocb", "locf"])
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
def test_weights_that_jump(model: Model, interpolation: str, seed: int) -> None:
    frame, patients = weights(seed, 40)
    table = read_events(frame, model, covariates=["WT"], interpolation=interpolation)
    shown = np.unique(np.concatenate([np.arange(0.05, 60.0, 7.0), table.save_at]))
    shown = shown[(shown >= table.start) & (shown <= table.stop)]
    (values,) = run(model, table, shown, "central", exponent=0.75)
    for patient, (times, doses, weight) in enumerate(patients):
        expected = piecewise(times, doses, weight, shown, interpolation == "nocb")
        # Before a patient's first record nothing has been given.
        np.testing.assert_allclose(values[patient], expected, rtol=0.0, atol=1e-7 * expected.max())


def test_weights_that_change_in_proportion_to_the_time(model: Model) -> None:
    frame, patients = weights(7, 12)
    table = read_events(frame, model, covariates=["WT"], interpolation="linear")
    shown = np.arange(table.start, table.stop, 3.0)
    (values,) = run(model, table, shown, "central", exponent=0.75)

    for patient, (times, doses, weight) in enumerate(patients):

        def rhs(t: float, y: Array, times: Array = times, weight: Array = weight) -> Array:
            k = elimination(float(np.interp(t, times, weight)))
            return np.array([-1.5 * y[0], 1.5 * y[0] - k * y[1]])

        state, out = np.zeros(2), np.zeros(shown.size)
        for begin, end, dose in zip(times, [*times[1:], table.stop], doses, strict=True):
            state = state + [dose, 0.0]
            inside = (shown >= begin) & (shown < end)
            grid = np.unique([begin, *shown[inside], end])
            found = solve_ivp(rhs, (begin, end), state, "DOP853", grid, rtol=1e-12, atol=1e-10)
            out[inside] = found.y[1][np.isin(grid, shown[inside])]
            state = found.y[:, -1]
        np.testing.assert_allclose(values[patient], out, rtol=0.0, atol=1e-7 * out.max())


def test_the_interpolations_differ(model: Model) -> None:
    frame, _ = weights(7, 12)
    values = []
    for interpolation in ("nocb", "locf", "linear"):
        table = read_events(frame, model, covariates=["WT"], interpolation=interpolation)
        (one,) = run(model, table, np.array([30.0]), "central", exponent=0.75)
        values.append(one)
    for one, other in itertools.combinations(values, 2):
        assert np.max(np.abs(one / other - 1.0)) > 1e-2


# --- Random regimens ------------------------------------------------------------------------------


def table_of(model: Model, drawn: Regimens) -> EventTable:
    frame = pd.DataFrame(drawn.columns())
    return read_events(frame, model, **COLUMNS, duplicates="keep", start=0.0)


def courses(model: Model, drawn: Regimens, *outputs: str) -> Array:
    """Outputs of all patients on the grid."""
    table = dataclasses.replace(table_of(model, drawn), stop=LAST)
    return run(model, table, GRID, *outputs, **drawn.parameters())


def compare(model: Model, seed: int, number: int) -> None:
    drawn = regimens(seed, number)
    values = courses(model, drawn, *COMPARTMENTS)
    for patient, (body, records) in enumerate(zip(drawn.models, drawn.records, strict=True)):
        expected = amounts(body, records, GRID)
        error = np.abs(values[: len(expected), patient] - expected).max()
        assert error <= CLOSE * expected.max() + UNRESOLVED, (patient, body, records)


def test_some_hundred_regimens(model: Model) -> None:
    compare(model, 1, 400)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 2 + REGIMENS // 500))
def test_thousands_of_regimens(model: Model, seed: int) -> None:
    compare(model, seed, 500)


def test_the_regimens_are_varied() -> None:
    records = [record for one in regimens(1, 400).records for record in one]
    assert len(records) > 1000
    conditions: dict[str, Callable[[Record], bool]] = {
        "bolus": lambda r: r.rate == 0.0 and r.amount > 0.0,
        "given rate": lambda r: r.rate > 0.0,
        "modeled rate": lambda r: r.rate == -1.0,
        "modeled duration": lambda r: r.rate == -2.0,
        "longer than II": lambda r: r.rate > 0.0 and 0.0 < r.interval < r.amount / r.rate,
        "SS = 1": lambda r: r.steady_state == 1,
        "SS = 2": lambda r: r.steady_state == 2,
        "waiting": lambda r: r.steady_state > 0 and r.lag > r.interval,
        "constant": lambda r: r.steady_state > 0 and r.amount == 0.0,
        "odd II": lambda r: r.additional > 0 and r.interval % 1.0 > 0.0,
        "reset": lambda r: r.event == 3,
        "reset and dose": lambda r: r.event == 4,
    }
    for name, condition in conditions.items():
        assert sum(condition(record) for record in records) >= 10, name


def test_what_enters_is_inside_or_has_left(model: Model) -> None:
    """Rosenbrock methods keep linear invariants: the sum is right to rounding, whatever rtol."""
    drawn = regimens(2, 300)
    plain = [
        [dataclasses.replace(r, event=1, steady_state=0) for r in records if r.amount > 0.0]
        for records in drawn.records
    ]
    kept = [k for k, records in enumerate(plain) if records]
    drawn = Regimens([drawn.models[k] for k in kept], [plain[k] for k in kept])
    inside = courses(model, drawn, *COMPARTMENTS, "gone").sum(axis=0)
    for patient, records in enumerate(drawn.records):
        entered = np.zeros(GRID.size)
        for r in records:
            total = r.amount * r.bioavailability
            rate = {0.0: np.inf, -1.0: r.modeled_rate}.get(r.rate, r.rate)
            length = r.modeled_duration if r.rate == -2.0 else total / rate
            for k in range(r.additional + 1):
                since = GRID - (r.time + r.lag + k * r.interval)
                part = np.clip(since / length, 0.0, 1.0) if length > 0.0 else 1.0
                entered += np.where(since >= 0.0, total * part, 0.0)
        np.testing.assert_allclose(inside[patient], entered, rtol=1e-10, atol=1e-8)


# --- What must not matter -------------------------------------------------------------------------

PARAMETERS = {"CL": 4.0, "V": 20.0, "KA": 0.8, "Q": 2.0, "V2": 30.0}
THERAPY: dict[str, Item] = {
    "weight": Covariate("WT", (0.0, 6.0, 20.0), (60.0, 80.0, 70.0)),
    "reset": Reset(at=(6.0, 20.0)),
    "peripheral": Infusion("peripheral", 6.0, duration=3.0, rate=5.0),
    "central": Infusion("central", (0.0, 6.0), duration=4.0, rate=(20.0, 10.0)),
    "oral": Dose("depot", (100.0, 50.0), at=(0.0, 6.0), every=7.0, count=3),
    "bolus": Dose("central", 30.0, at=6.0, lag=0.0),
}


def course(model: Model, therapy: Mapping[str, Item], **more: Any) -> Array:
    settings: dict[str, Any] = {"start": 0.0, "stop": LAST, "save_at": GRID, **more}
    result = simulate(
        model,
        therapy=therapy,
        parameters={**PARAMETERS, "exponent": 0.75},
        outputs=COMPARTMENTS,
        solver=FINE,
        on_failure="raise",
        **settings,
    )
    return np.stack([result[name].values for name in COMPARTMENTS])


@given(order=st.permutations(list(THERAPY)))
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_order_of_different_items_does_not_matter(model: Model, order: list[str]) -> None:
    """Coincident actions have an order by kind, so these give the same bits."""
    np.testing.assert_array_equal(
        course(model, {name: THERAPY[name] for name in order}), course(model, THERAPY)
    )


def test_the_order_of_coincident_records_does_not_matter(model: Model) -> None:
    rows = [
        {"ID": 1, "TIME": 3.0, "AMT": 100.0, "CMT": "depot", "RATE": 0.0},
        {"ID": 1, "TIME": 3.0, "AMT": 50.0, "CMT": "central", "RATE": 0.0},
        {"ID": 1, "TIME": 3.0, "AMT": 20.0, "CMT": "central", "RATE": 10.0},
        {"ID": 1, "TIME": 3.0, "AMT": 10.0, "CMT": "peripheral", "RATE": 4.0},
    ]
    seen = []
    for order in itertools.permutations(rows):
        first = {"ID": 1, "TIME": 0.0, "AMT": 40.0, "CMT": "depot", "RATE": 0.0}
        table = read_events(pd.DataFrame([first, *order]), model)
        table = dataclasses.replace(table, stop=20.0)
        seen.append(run(model, table, np.arange(0.0, 20.0), *COMPARTMENTS, **PARAMETERS))
    for other in seen[1:]:
        np.testing.assert_array_equal(other, seen[0])


@pytest.mark.parametrize("into", COMPARTMENTS)
def test_an_infusion_is_two_halves(model: Model, into: str) -> None:
    whole = course(model, {"whole": Infusion(into, 2.0, duration=7.0, rate=9.0)})
    together: dict[str, Item] = {"halves": Infusion(into, (2.0, 5.5), duration=3.5, rate=9.0)}
    apart: dict[str, Item] = {
        "first": Infusion(into, 2.0, duration=3.5, rate=9.0),
        "second": Infusion(into, 5.5, duration=3.5, rate=9.0),
    }
    for halves in (together, apart):
        np.testing.assert_allclose(course(model, halves), whole, rtol=0.0, atol=1e-8 * whole.max())


@pytest.mark.parametrize("by", [-64.0, 0.1, 1000.0])
def test_shifted_times(model: Model, by: float) -> None:
    drawn = regimens(3, 200)
    later = Regimens(
        drawn.models,
        [[dataclasses.replace(r, time=r.time + by) for r in one] for one in drawn.records],
    )
    here = courses(model, drawn, *COMPARTMENTS)
    frame = pd.DataFrame(later.columns())
    table = read_events(frame, model, **COLUMNS, duplicates="keep", start=by)
    table = dataclasses.replace(table, stop=LAST + by)
    there = run(model, table, GRID + by, *COMPARTMENTS, **drawn.parameters())
    # A time that is not exact may fall on the other side of a dose.
    whole = by % 1.0 == 0.0
    grid = np.ones(GRID.size, bool) if whole else GRID % 0.5 != 0.0
    size = here.max(axis=(0, 2))[None, :, None]
    assert np.all(np.abs(there - here)[:, :, grid] <= 2.0 * FINE.rtol * size)


@pytest.mark.parametrize(
    ("time", "mass"),
    [
        (1.0, 1000.0),  # mg -> ug
        (1.0 / 24.0, 1.0),  # hours -> days
        (1.0 / 24.0, 1000.0),
    ],
)
def test_units_do_not_matter(model: Model, time: float, mass: float) -> None:
    drawn = regimens(4, 200)
    here = rescaled(model, drawn, 1.0, 1.0)
    there = rescaled(model, drawn, time, mass)
    # A time that is not exact may fall on the other side of a dose.
    apart = GRID % 0.5 != 0.0
    size = here.max(axis=(0, 2))[None, :, None]
    assert np.all(np.abs(there - here)[:, :, apart] <= 2.0 * FINE.rtol * size)


def rescaled(model: Model, drawn: Regimens, time: float, mass: float) -> Array:
    """Amounts in the old units of a simulation in new ones, by the size of the old."""
    converted = [
        [
            dataclasses.replace(
                r,
                time=r.time * time,
                amount=r.amount * mass,
                rate=r.rate * mass / time if r.rate > 0.0 else r.rate,
                interval=r.interval * time,
                lag=r.lag * time,
                modeled_rate=r.modeled_rate * mass / time,
                modeled_duration=r.modeled_duration * time,
            )
            for r in records
        ]
        for records in drawn.records
    ]
    body = drawn.parameters()
    scenario = Scenario(
        model,
        therapy=table_of(model, Regimens(drawn.models, converted)).therapy,
        parameters={**body, **{name: body[name] / time for name in ("CL", "KA", "Q")}},
        stop=LAST * time,
        save_at=GRID * time,
        outputs=COMPARTMENTS,
        solver=FINE,
    )
    prepared = prepare(scenario)
    saved = solve(dataclasses.replace(prepared, atol=prepared.atol * mass)).saved
    return np.asarray(saved / mass)
