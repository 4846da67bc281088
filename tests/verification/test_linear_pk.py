"""The closed forms of linear_pk.py against NONMEM's tables, matrix exponentials and themselves."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.linalg import expm

from tests.verification.linear_pk import Linear, Record, amounts

Array = NDArray[np.float64]

# Half a unit of the fifth digit, which is the last that the table prints.
PRINTED = 5e-5
SCENARIOS = tuple(range(1, 30, 2))

ORAL = Linear(CL=1.1, V=20.0, ka=1.5)
TWO = Linear(CL=1.1, V=20.0, ka=0.9, Q=2.0, V2=15.0)
BARE = Linear(CL=3.0, V=20.0, Q=2.0, V2=35.0)
DEPOT, CENTRAL = 0, 1
GRID = np.linspace(0.0, 60.0, 241)

positive = st.floats(0.05, 20.0)
models = st.one_of(
    st.builds(Linear, positive, positive),
    st.builds(Linear, positive, positive, positive),
    st.builds(Linear, positive, positive, st.none(), positive, positive),
    st.builds(Linear, positive, positive, positive, positive, positive),
)
spans = st.floats(0.01, 20.0)


def matrix(model: Linear) -> Array:
    """The matrix A of dy/dt = A y, written down anew."""
    n, central = len(model.compartments), model.compartments.index("central")
    out = np.zeros((n, n))
    out[central, central] = -model.CL / model.V
    if model.ka is not None:
        out[0, 0], out[central, 0] = -model.ka, model.ka
    if model.Q is not None and model.V2 is not None:
        k12, k21 = model.Q / model.V, model.Q / model.V2
        out[central:, central:] += [[-k12, k21], [k12, -k21]]
    return out


# --- NONMEM ---------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def table(suites: Path) -> tuple[Any, Any]:
    """Records and NONMEM's concentrations of run 1001, row by row."""
    folder = suites / "nmtests"
    data = np.genfromtxt(folder / "1001-data.csv", delimiter=",", names=True)
    printed = np.genfromtxt(folder / "1001-nm.csv", delimiter=",", names=True)
    return data, printed


def records_of(rows: Any) -> list[Record]:
    """Dosing records; the lag and F of this run belong to compartment 2."""
    return [
        Record(
            time=row["time"],
            amount=row["amt"],
            compartment=int(row["cmt"]) - 1,
            rate=row["rate"],
            interval=row["ii"],
            additional=int(row["addl"]),
            steady_state=int(row["ss"]),
            lag=row["LAGT"] if row["cmt"] == 2 else 0.0,
            bioavailability=row["BIOAV"] if row["cmt"] == 2 else 1.0,
            event=int(row["evid"]),
            modeled_rate=row["RAT2"] if row["MODE"] == 1 else 0.0,
            modeled_duration=row["DUR2"] if row["MODE"] == 2 else 0.0,
        )
        for row in rows[rows["evid"] != 0]
    ]


def concentrations(records: list[Record], times: Array, *, after: bool = True) -> Array:
    central: Array = amounts(ORAL, records, times, after=after)[CENTRAL]
    return central / (ORAL.V / 1000.0)


def worst(values: Array, printed: Array) -> float:
    """Largest relative error; a value where NONMEM prints 0 must be 0."""
    error = np.abs(values - printed)
    size = np.where(printed == 0.0, np.where(error == 0.0, 1.0, 0.0), printed)
    with np.errstate(divide="ignore"):
        return float(np.max(error / size))


def test_every_row_of_the_table_is_compared(table: tuple[Any, Any]) -> None:
    data, printed = table
    assert len(data) == len(printed) == 1985
    np.testing.assert_array_equal(data["ID"], printed["ID"])
    np.testing.assert_array_equal(data["time"], printed["TIME"])
    assert sorted(set(data["ID"])) == list(SCENARIOS)
    assert np.all(np.diff(data["time"])[np.diff(data["ID"]) == 0] >= 0)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_nonmem(table: tuple[Any, Any], scenario: int) -> None:
    data, printed = table
    rows = data["ID"] == scenario
    values, expected = (
        concentrations(records_of(data[rows]), data["time"][rows]),
        printed["CP"][rows],
    )
    assert worst(values, expected) < PRINTED
    assert [f"{x:.4e}" for x in values] == [f"{x:.4e}" for x in expected]


@pytest.mark.parametrize(
    ("scenario", "change"),
    [
        (5, {"bioavailability": 1.0}),
        (7, {"lag": 0.0}),
        (9, {"rate": 4.12, "amount": 41.2, "bioavailability": 1.0}),
        (11, {"steady_state": 0}),
        (19, {"rate": 100.0 / 9.0}),
        (23, {"steady_state": 0}),
        (27, {"event": 1}),
        (29, {"compartment": 1}),
    ],
)
def test_the_table_tells_conventions_apart(
    table: tuple[Any, Any], scenario: int, change: dict[str, Any]
) -> None:
    data, printed = table
    rows = data["ID"] == scenario
    records = [replace(record, **change) for record in records_of(data[rows])]
    values = concentrations(records, data["time"][rows])
    assert worst(values, printed["CP"][rows]) > 1e-2


def test_nonmem_prints_the_amounts_after_a_dose(table: tuple[Any, Any]) -> None:
    """In scenario 17 a lagged bolus enters at the time of a row; in 27 a reset has one."""
    data, printed = table
    missed = []
    for scenario in (17, 27):
        rows = data["ID"] == scenario
        times = data["time"][rows]
        before = concentrations(records_of(data[rows]), times, after=False)
        wrong = ~np.isclose(before, printed["CP"][rows], rtol=PRINTED, atol=0.0)
        missed.append(sorted(set(times[wrong])))
    assert missed == [[1.0], [50.0]]


# --- Matrix exponentials --------------------------------------------------------------------------


def held(A: Array, duration: float) -> Array:
    """Integral of exp(A t) up to `duration`, from the exponential of a larger matrix."""
    n = len(A)
    block = np.zeros((2 * n, 2 * n))
    block[:n, :n], block[:n, n:] = A, np.eye(n)
    integral: Array = expm(block * duration)[:n, n:]
    return integral


@given(model=models, time=spans)
def test_bolus(model: Linear, time: float) -> None:
    expected = expm(matrix(model) * time)
    for source in range(len(model.compartments)):
        value = model.bolus(source, np.array([-time, time]))
        np.testing.assert_array_equal(value[:, 0], 0.0)
        np.testing.assert_allclose(value[:, 1], expected[:, source], rtol=1e-9, atol=1e-12)


@given(model=models, time=spans, duration=spans)
def test_infusion(model: Linear, time: float, duration: float) -> None:
    A = matrix(model)
    expected = expm(A * max(time - duration, 0.0)) @ held(A, min(time, duration))
    for source in range(len(model.compartments)):
        value = model.infusion(source, duration, np.array([-time, 0.0, time]))
        np.testing.assert_array_equal(value[:, :2], 0.0)
        np.testing.assert_allclose(value[:, 2], expected[:, source], rtol=1e-9, atol=1e-11)


@given(model=models, time=spans, every=st.floats(0.5, 20.0), duration=spans)
def test_trains(model: Linear, time: float, every: float, duration: float) -> None:
    A, n = matrix(model), len(model.compartments)
    series = np.linalg.inv(np.eye(n) - expm(A * every))
    running = math.ceil(duration / every)
    ages = [time + k * every for k in range(running)]
    infused = expm(A * (time + running * every - duration)) @ series @ held(A, duration)
    for age in ages:
        infused += expm(A * max(age - duration, 0.0)) @ held(A, min(age, duration))
    size = np.max(series)
    for source in range(n):
        value = model.bolus(source, np.array([-time, time]), every)
        np.testing.assert_array_equal(value[:, 0], 0.0)
        expected = (expm(A * time) @ series)[:, source]
        np.testing.assert_allclose(value[:, 1], expected, rtol=1e-9, atol=1e-11 * size)
        value = model.infusion(source, duration, np.array([-time, time]), every)
        np.testing.assert_array_equal(value[:, 0], 0.0)
        bound = 1e-11 * size * max(duration, 1.0)
        np.testing.assert_allclose(value[:, 1], infused[:, source], rtol=1e-9, atol=bound)


@given(model=models, time=spans)
def test_washout(model: Linear, time: float) -> None:
    A = matrix(model)
    expected = -expm(A * time) @ np.linalg.inv(A)
    for source in range(len(model.compartments)):
        value = model.washout(source, np.array([-time, time]))
        np.testing.assert_array_equal(value[:, 0], 0.0)
        bound = 1e-11 * np.max(expected)
        np.testing.assert_allclose(value[:, 1], expected[:, source], rtol=1e-9, atol=bound)


# --- Rates that coincide --------------------------------------------------------------------------


def test_absorption_as_fast_as_elimination() -> None:
    """ka = CL/V = k: k t exp(-k t), and its integrals."""
    k = 0.25
    model, times = Linear(CL=5.0, V=20.0, ka=k), np.array([1e-9, 0.1, 3.0, 40.0, 400.0])
    decay = np.exp(-k * times)
    np.testing.assert_allclose(
        model.bolus(DEPOT, times), [decay, k * times * decay], rtol=1e-13, atol=0.0
    )
    np.testing.assert_allclose(
        model.washout(DEPOT, times), [decay / k, (times + 1.0 / k) * decay], rtol=1e-13
    )
    late = times[2:]
    filled = (1.0 - (1.0 + k * late) * np.exp(-k * late)) / k
    running = model.infusion(DEPOT, np.inf, late)[CENTRAL]
    np.testing.assert_allclose(running, filled, rtol=1e-13)
    # Sum over n of k (t + n II) exp(-k (t + n II)).
    q = math.exp(-k * 8.0)
    train = k * decay * (times / (1.0 - q) + 8.0 * q / (1.0 - q) ** 2)
    np.testing.assert_allclose(model.bolus(DEPOT, times, 8.0)[CENTRAL], train, rtol=1e-13)


def exact(model: Linear, time: float, duration: float, every: float) -> list[Any]:
    """Matrices of bolus, its train, infusion and washout, with 50 digits.

    The entries of the matrix come from the parameters with all digits, not from rounded rates.
    """
    n, central = len(model.compartments), model.compartments.index("central")
    CL, V, ka = (mpmath.mpf(x) for x in (model.CL, model.V, model.ka or 0.0))
    A = mpmath.zeros(n)
    A[central, central] = -CL / V
    if model.ka is not None:
        A[0, 0], A[central, 0] = -ka, ka
    if model.Q is not None and model.V2 is not None:
        Q, V2, last = mpmath.mpf(model.Q), mpmath.mpf(model.V2), central + 1
        A[central, central] -= Q / V
        A[central, last], A[last, central], A[last, last] = Q / V2, Q / V, -Q / V2
    t, D, one = mpmath.mpf(time), mpmath.mpf(duration), mpmath.eye(n)
    bolus = mpmath.expm(A * t)
    train = bolus * mpmath.inverse(one - mpmath.expm(A * every))
    during = min(t, D)
    filled = mpmath.inverse(A) * (mpmath.expm(A * during) - one)
    return [bolus, train, mpmath.expm(A * (t - during)) * filled, -bolus * mpmath.inverse(A)]


def eigenvalues(model: Linear) -> tuple[float, float]:
    slow, fast = sorted(-np.linalg.eigvals(matrix(replace(model, ka=None))).real)
    return float(slow), float(fast)


COINCIDING = {
    "one compartment, ka = k": lambda near: Linear(5.0, 20.0, 0.25 * near),
    "two compartments, ka = slow": lambda near: replace(BARE, ka=eigenvalues(BARE)[0] * near),
    "two compartments, ka = fast": lambda near: replace(BARE, ka=eigenvalues(BARE)[1] * near),
    # k10 = k21 and hardly any exchange: all three rates meet
    "ka = slow = fast": lambda near: Linear(5.0, 20.0, 0.25 * near, 1e-9, 4e-9),
}


@pytest.mark.parametrize("case", COINCIDING)
@pytest.mark.parametrize("near", [1.0, *(1.0 + 10.0**-k for k in (1, 2, 4, 6, 8, 10, 12, 15))])
def test_nearly_equal_rates(case: str, near: float) -> None:
    model = COINCIDING[case](near)
    duration, every = 2.5, 8.0
    for time in (1e-3, 2.0, 20.0):
        at = np.array([time])
        with mpmath.workdps(50):
            expected = exact(model, time, duration, every)
            for source in range(len(model.compartments)):
                values = (
                    model.bolus(source, at),
                    model.bolus(source, at, every),
                    model.infusion(source, duration, at),
                    model.washout(source, at),
                )
                for value, column in zip(values, expected, strict=True):
                    rounded = [float(x) for x in column[:, source]]
                    np.testing.assert_allclose(value[:, 0], rounded, rtol=1e-12, atol=0.0)


def test_rates_far_apart() -> None:
    """Twelve orders of magnitude between the rates; small amounts keep their digits."""
    model = Linear(CL=1e-6, V=1.0, ka=1e4, Q=3.0, V2=50.0)
    for time in (1e-9, 1e-3, 1.0, 1e3):
        with mpmath.workdps(50):
            bolus, *_ = exact(model, time, 1.0, 1.0)
            for source in range(3):
                rounded = np.array([float(x) for x in bolus[:, source]])
                value = model.bolus(source, np.array([time]))[:, 0]
                np.testing.assert_allclose(value, rounded, rtol=1e-11, atol=1e-300)


# --- Superposition and the meaning of records -----------------------------------------------------


@given(model=models, first=spans, second=spans)
def test_an_infusion_is_two_infusions(model: Linear, first: float, second: float) -> None:
    for source in range(len(model.compartments)):
        parts = model.infusion(source, first, GRID) + model.infusion(source, second, GRID - first)
        whole = model.infusion(source, first + second, GRID)
        np.testing.assert_allclose(parts, whole, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("model", [ORAL, TWO], ids=["one", "two"])
def test_short_infusions_are_boluses(model: Linear) -> None:
    at = GRID + 1.0
    for every in (None, 6.0):
        short = model.infusion(DEPOT, 1e-7, at, every) / 1e-7
        np.testing.assert_allclose(short, model.bolus(DEPOT, at, every), rtol=1e-6)


STEADY: dict[str, dict[str, Any]] = {
    "bolus": {},
    "short infusion": {"rate": 30.0},
    "as long as II": {"rate": 10.0, "bioavailability": 0.8},
    "longer than II": {"rate": 2.0, "bioavailability": 0.7},
    "modeled rate": {"rate": -1.0, "modeled_rate": 7.0},
    "modeled duration": {"rate": -2.0, "modeled_duration": 21.0, "bioavailability": 0.5},
}


@pytest.mark.parametrize("lag", [0.0, 3.0, 7.25, 8.0, 19.5])
@pytest.mark.parametrize("kind", STEADY)
def test_steady_state_is_many_doses(kind: str, lag: float) -> None:
    """Doses every 8 from long before; lags longer than that have doses on their way."""
    dose = Record(4.0, 100.0, DEPOT, interval=8.0, steady_state=1, lag=lag, additional=2)
    dose = replace(dose, **STEADY[kind])
    long = 150
    history = replace(dose, time=4.0 - 8.0 * long, steady_state=0, additional=long + 2)
    for after in (True, False):
        later = GRID[GRID >= 4.0] if after else GRID[GRID > 4.0]
        np.testing.assert_allclose(
            amounts(TWO, [dose], later, after=after),
            amounts(TWO, [history], later, after=after),
            rtol=1e-11,
        )
    np.testing.assert_array_equal(amounts(TWO, [dose], GRID[GRID < 4.0]), 0.0)


@settings(max_examples=30, deadline=None)  # a wait of the machine is no failure
@given(
    model=models,
    every=st.integers(1, 24),
    lag=st.integers(0, 60),
    rate=st.sampled_from([0.0, 3.0, 20.0]),
)
def test_steady_state_repeats_itself(model: Linear, every: int, lag: int, rate: float) -> None:
    """With additional doses the amounts of one interval are those of the next."""
    dose = Record(0.0, 60.0, 0, rate, every, 40, 1, float(lag))
    times = np.linspace(0.0, every, 17)
    first, second = amounts(model, [dose], times), amounts(model, [dose], times + every)
    np.testing.assert_allclose(second, first, rtol=1e-10, atol=1e-300)


def test_second_steady_state_adds() -> None:
    first = Record(0.0, 100.0, DEPOT, interval=24.0, steady_state=1, additional=1)
    second = Record(10.0, 40.0, CENTRAL, 8.0, 24.0, steady_state=2, lag=1.0)
    both = amounts(TWO, [first, second], GRID)
    parts = amounts(TWO, [first], GRID) + amounts(TWO, [second], GRID)
    np.testing.assert_allclose(both, parts, rtol=1e-14)
    assert amounts(TWO, [second], [10.0])[CENTRAL, 0] > 0.0


def test_first_steady_state_replaces_what_is_there_and_to_come() -> None:
    earlier = [
        Record(0.0, 100.0, CENTRAL, lag=11.0),
        Record(0.0, 100.0, CENTRAL, rate=2.0),
        Record(5.0, 100.0, DEPOT, interval=3.0, additional=5),
    ]
    dose = Record(10.0, 40.0, DEPOT, interval=12.0, steady_state=1, lag=2.0)
    later = GRID[GRID >= 10.0]
    np.testing.assert_array_equal(
        amounts(TWO, [*earlier, dose], later), amounts(TWO, [dose], later)
    )
    np.testing.assert_array_equal(
        amounts(TWO, [*earlier, dose], GRID[GRID < 10.0]),
        amounts(TWO, earlier, GRID[GRID < 10.0]),
    )


def test_reset_empties_stops_and_cancels() -> None:
    doses = [
        Record(0.0, 100.0, CENTRAL, rate=2.0),
        Record(0.0, 100.0, DEPOT, interval=4.0, additional=9),
        Record(1.0, 100.0, DEPOT, lag=9.0),
        Record(2.0, 100.0, CENTRAL, 5.0, 6.0, 3, 2, 1.0),
    ]
    reset = Record(10.0, event=3)
    values = amounts(TWO, [*doses, reset], GRID)
    np.testing.assert_array_equal(values[:, GRID >= 10.0], 0.0)
    np.testing.assert_array_equal(values[:, GRID < 10.0], amounts(TWO, doses, GRID[GRID < 10.0]))
    assert np.all(amounts(TWO, [*doses, reset], [10.0], after=False) > 0.0)
    again = Record(10.0, 30.0, DEPOT, lag=1.5, event=4)
    np.testing.assert_array_equal(
        amounts(TWO, [*doses, again], GRID[GRID >= 10.0]),
        amounts(TWO, [again], GRID[GRID >= 10.0]),
    )


def test_records_of_one_time_act_in_their_order() -> None:
    dose, reset = Record(3.0, 100.0, CENTRAL), Record(3.0, event=3)
    np.testing.assert_array_equal(amounts(ORAL, [dose, reset], [3.0, 4.0]), 0.0)
    assert amounts(ORAL, [reset, dose], [3.0])[CENTRAL, 0] == 100.0


def test_bioavailability() -> None:
    """It multiplies a bolus, the length of an infusion of given rate, the rate of given length."""

    def same(one: Record, other: Record) -> None:
        np.testing.assert_allclose(
            amounts(TWO, [one], GRID), amounts(TWO, [other], GRID), rtol=1e-14
        )

    full = Record(1.0, 100.0, CENTRAL)
    same(replace(full, bioavailability=0.4), replace(full, amount=40.0))
    given_rate = replace(full, rate=10.0, bioavailability=0.4)
    same(given_rate, Record(1.0, 40.0, CENTRAL, rate=10.0))
    same(given_rate, replace(given_rate, rate=-1.0, modeled_rate=10.0))
    given_length = replace(given_rate, rate=-2.0, modeled_duration=10.0)
    same(given_length, Record(1.0, 40.0, CENTRAL, rate=4.0))


def test_an_infusion_that_always_ran() -> None:
    """Its level is rate / CL; it ends at its record, whatever F and the lag."""
    dose = Record(2.0, 0.0, DEPOT, rate=11.0, steady_state=1, bioavailability=0.3, lag=5.0)
    values = amounts(TWO, [dose], GRID)
    at = np.flatnonzero(GRID == 2.0)[0]
    level = [11.0 / 0.9, 11.0 / 1.1 * 20.0, 11.0 / 1.1 * 15.0]
    np.testing.assert_allclose(values[:, at], level, rtol=1e-13)
    long = Record(-2000.0, 11.0 * 2002.0, DEPOT, rate=11.0)
    np.testing.assert_allclose(values[:, at:], amounts(TWO, [long], GRID[at:]), rtol=1e-11)


def test_amounts_before_and_after_a_dose() -> None:
    doses = [Record(0.0, 7.0, CENTRAL, interval=2.0, additional=1, lag=0.5)]
    times = [0.5, 2.5, 2.25, np.nextafter(0.5, 0.0)]
    after, before = (amounts(ORAL, doses, times, after=after)[CENTRAL] for after in (True, False))
    np.testing.assert_allclose(after - before, [7.0, 7.0, 0.0, 0.0], rtol=1e-15)
    assert before[0] == after[3] == 0.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"event": 2},
        {"steady_state": 3, "interval": 1.0},
        {"lag": -1.0},
        {"compartment": -1},
        {"bioavailability": -0.1},
        {"rate": -3.0},
        {"rate": -1.0},
        {"rate": -2.0},
        {"additional": 1},
        {"steady_state": 1},
        {"amount": 0.0, "rate": 1.0},
        {"amount": 0.0, "rate": 1.0, "steady_state": 1, "interval": 12.0, "additional": 1},
        {"amount": 0.0, "rate": -2.0, "modeled_duration": 1.0, "steady_state": 1},
    ],
)
def test_records_without_meaning(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        replace(Record(0.0, 100.0), **wrong)


def test_models_without_meaning() -> None:
    for wrong in ({"CL": 0.0}, {"V": math.inf}, {"ka": -1.0}, {"Q": None}, {"V2": math.nan}):
        with pytest.raises(ValueError):
            replace(TWO, **wrong)


def test_records_out_of_order() -> None:
    with pytest.raises(ValueError, match="order"):
        amounts(ORAL, [Record(2.0, 1.0), Record(1.0, 1.0)], [3.0])
