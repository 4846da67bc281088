"""Order of records, periods and IDs of event tables, against closed forms read record by record."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from carsim import Model, Solver, load_model
from carsim.simulation import simulate
from carsim.therapy import EventTable, read_events
from carsim.therapy.records import LATER

Array = NDArray[np.float64]

V, CL = 20.0, 1.1
K = CL / V
OBSERVATION, DOSE, OTHER, RESET, RESET_AND_DOSE = range(5)


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(str(Path(__file__).parent / "two_compartments.py"))


def read(model: Model, rows: str, **options: Any) -> EventTable:
    """An event table of text: columns in the first line, without commas."""
    header, *lines = rows.split("\n")
    cells = [line.split() for line in lines if line.strip()]
    frame = pd.DataFrame(cells, columns=header.split())
    return read_events(frame, model, **options)


def seen(model: Model, table: EventTable, **more: Any) -> Array:
    """Central amounts at the observations."""
    result = simulate(
        model,
        therapy=table.therapy,
        parameters={**table.parameters, "CL": CL, "V": V, **more},
        start=table.start,
        stop=table.stop,
        save_at=table.save_at,
        outputs=["central"],
        solver=Solver(rtol=1e-9),
        on_failure="raise",
    )
    values: Array = table.at_observations(result, "central").values
    return values


# --- Single tables --------------------------------------------------------------------------------


def left(time: float, k: float = K) -> float:
    return math.exp(-k * time)


STEADY = 1.0 / -math.expm1(-12.0 * K)
"""Peak of unit doses every 12 h."""

TABLES = {
    "trough": (
        "ID TIME EVID AMT CMT\n 1 0 1 100 2\n 1 24 0 0 2\n 1 24 1 100 2",
        [100 * left(24)],
    ),
    "trough and peak": (
        "ID TIME EVID AMT CMT\n 1 0 1 100 2\n 1 24 0 0 2\n 1 24 1 100 2\n 1 24 0 . .\n 1 30 0 . .",
        [100 * left(24), 100 * left(24) + 100, 100 * left(30) + 100 * left(6)],
    ),
    "peak": (
        "ID TIME EVID AMT CMT\n 1 0 1 100 2\n 1 24 1 100 2\n 1 24 0 0 2",
        [100 * left(24) + 100],
    ),
    "before and behind each of two doses": (
        "ID TIME EVID AMT CMT\n 1 3 0 . .\n 1 3 1 10 2\n 1 3 0 . .\n 1 3 1 10 2\n 1 3 0 . .",
        [0.0, 10.0, 20.0],
    ),
    "steady state behind the first observation": (
        "ID TIME EVID AMT CMT II SS ADDL\n 1 0 0 . . 0 0 0\n 1 0 1 100 2 12 1 2\n"
        " 1 12 0 . . 0 0 0\n 1 18 0 . . 0 0 0\n 1 24 0 . . 0 0 0\n 1 36 0 . . 0 0 0",
        [0.0, *(100 * STEADY * np.array([1.0, left(6), 1.0, left(12)]))],
    ),
    "steady state that is added": (
        "ID TIME EVID AMT CMT II SS\n 1 0 1 30 2 0 0\n 1 5 0 . . 0 0\n 1 5 1 100 2 12 2\n"
        " 1 5 0 . . 0 0",
        [30 * left(5), 30 * left(5) + 100 * STEADY],
    ),
    "repeats are on time": (
        "ID TIME EVID AMT CMT II ADDL\n 1 0 1 9 2 0 0\n 1 24 0 . . 0 0\n 1 24 1 100 2 24 2\n"
        " 1 48 0 . . 0 0\n 1 72 0 . . 0 0",
        [
            9 * left(24),
            9 * left(48) + 100 * (1 + left(24)),
            9 * left(72) + 100 * (1 + left(24) + left(48)),
        ],
    ),
    "repeats of before come before the observation": (
        "ID TIME EVID AMT CMT II ADDL\n 1 0 1 100 2 12 2\n 1 12 0 . . 0 0\n 1 12 1 50 2 0 0\n"
        " 1 12 0 . . 0 0",
        [100 * (1 + left(12)), 100 * (1 + left(12)) + 50],
    ),
    "reset behind an observation": (
        "ID TIME EVID AMT CMT\n 1 0 1 100 2\n 1 8 0 . .\n 1 8 3 . .\n 1 8 0 . .\n 1 8 1 50 2\n"
        " 1 8 0 . .\n 1 9 0 . .",
        [100 * left(8), 0.0, 50.0, 50 * left(1)],
    ),
    "infusion": (
        "ID TIME EVID AMT CMT RATE\n 1 0 1 100 2 0\n 1 8 0 . . 0\n 1 8 4 50 2 25\n 1 9 0 . . 0\n"
        " 1 12 0 . . 0",
        [
            100 * left(8),
            25 / K * (1 - left(1)),
            25 / K * (1 - left(2)) * left(2),
        ],
    ),
    "crossover": (
        "ID TIME AMT EVID CMT\n 1 0 100 1 iv\n 1 8 . 0 .\n 1 0 50 4 iv\n 1 8 . 0 .",
        [100 * left(8), 50 * left(8)],
    ),
    "sample before the dose of each period": (
        "ID TIME AMT EVID CMT\n 1 0 . 0 .\n 1 0 100 1 iv\n 1 8 . 0 .\n 1 0 . 3 .\n 1 0 . 0 .\n"
        " 1 0 50 1 iv\n 1 0 . 0 .\n 1 8 . 0 .",
        [0.0, 100 * left(8), 0.0, 50.0, 50 * left(8)],
    ),
    "what is ordered in a period ends with it": (
        "ID TIME AMT EVID CMT II ADDL RATE\n 1 0 100 1 iv 6 9 10\n 1 8 . 0 . 0 0 0\n"
        " 1 1 50 4 iv 4 1 0\n 1 1 . 0 . 0 0 0\n 1 5 . 0 . 0 0 0\n 1 9 . 0 . 0 0 0\n"
        " 1 0 . 3 . 0 0 0\n 1 20 . 0 . 0 0 0",
        [
            10 / K * ((1 - left(8)) + (1 - left(2))),
            50.0,
            50 * (1 + left(4)),
            50 * (left(8) + left(4)),
            0.0,
        ],
    ),
    # As tools write them that expand additional doses without looking for resets.
    "expanded doses before the reset": (
        "ID TIME AMT EVID CMT\n 1 0 100 1 iv\n 1 12 100 1 iv\n 1 24 100 1 iv\n 1 36 100 1 iv\n"
        " 1 18 . 3 .\n 1 20 . 0 .\n 1 25 . 0 .\n 1 30 . 0 .",
        [0.0, 0.0, 0.0],
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_records_take_place_in_their_order(model: Model, name: str) -> None:
    text, expected = TABLES[name]
    np.testing.assert_allclose(seen(model, read(model, text)), expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("column", [True, False])
@pytest.mark.parametrize("lag", [0.0, 0.5, 3.0])
def test_a_dose_that_lags_is_on_time(model: Model, lag: float, column: bool) -> None:
    """Whether the table or a parameter says how long."""
    rows = [(24.0, 0, 0.0), (24.0, 1, 80.0), (24.0, 0, 0.0), (24.0 + lag, 0, 0.0)]
    rows += [(30.0 + lag, 0, 0.0), (36.0 + lag, 0, 0.0), (36.0 + lag, 1, 10.0)]
    frame = pd.DataFrame(rows, columns=["TIME", "EVID", "AMT"]).assign(ID=1, CMT=2, L=lag)
    frame["II"], frame["ADDL"] = 6.0 * (frame["AMT"] == 80.0), 2.0 * (frame["AMT"] == 80.0)
    options: dict[str, Any] = {"lag": {2: "L" if column else "ALAG2"}}
    table = read_events(frame, model, **options, ignore=[] if column else ["L"])
    first = 80.0 if lag == 0.0 else 0.0
    peaks = [80.0, 80.0 * (1 + left(6)), 80.0 * (1 + left(6) + left(12))]
    values = seen(model, table, **({} if column else {"ALAG2": lag}))
    np.testing.assert_allclose(values, [0.0, first, *peaks], rtol=1e-7, atol=1e-9)


def test_times_of_an_ordinary_table_are_its_own(model: Model) -> None:
    times = np.sort(np.random.default_rng(0).uniform(0.0, 50.0, 30))
    frame = pd.DataFrame({"ID": 1, "TIME": times, "AMT": 0.0, "CMT": 2})
    frame.loc[::4, "AMT"] = 10.0
    table = read_events(frame, model)
    observed = times[frame["AMT"] == 0.0]
    np.testing.assert_array_equal(table.observations[0], observed)
    np.testing.assert_array_equal(table.record_times[0], observed)
    np.testing.assert_array_equal(table.save_at, observed)
    assert set(table.periods[0]) == {1}


def test_a_covariate_of_an_observation_and_of_the_dose_behind_it(model: Model) -> None:
    """The interval up to a time has the value of its first record, the next one that of its end."""
    text = (
        "ID TIME EVID AMT CMT WT\n 1 0 1 100 2 60\n 1 8 0 . . 70\n 1 8 1 100 2 90\n 1 8 0 . . 90\n"
        " 1 16 0 . . 50\n 1 0 4 50 2 100\n 1 8 0 . . 110"
    )
    k60, k70, k90, k50, k100, k110 = (K * w / 70.0 for w in (60, 70, 90, 50, 100, 110))
    for interpolation, first, second, third in (
        ("nocb", k70, k50, k110),
        ("locf", k60, k90, k100),
    ):
        table = read(model, text, covariates=["WT"], interpolation=interpolation)
        trough = 100 * left(8, first)
        expected = [trough, trough + 100, (trough + 100) * left(8, second), 50 * left(8, third)]
        values = seen(model, table, exponent=1.0)
        np.testing.assert_allclose(values, expected, rtol=1e-7)


@pytest.mark.parametrize("missing", [False, True])
def test_a_covariate_that_goes_in_proportion_does_not_go_across_a_reset(
    model: Model, missing: bool
) -> None:
    weights = [60.0, np.nan if missing else 60.0, np.nan if missing else 100.0, 100.0, 40.0]
    frame = pd.DataFrame(
        {
            "ID": 1,
            "TIME": [0.0, 8.0, 0.0, 2.0, 10.0],
            "EVID": [1, 0, 4, 0, 0],
            "AMT": [100.0, 0.0, 50.0, 0.0, 0.0],
            "CMT": 2,
            "WT": weights,
        }
    )
    table = read_events(frame, model, covariates=["WT"], interpolation="linear")
    values = seen(model, table, exponent=1.0)
    # Of the second period's weight the mean counts: 100 for 2 h, then from 100 to 40 in 8 h.
    k60, k100, k70 = (K * w / 70.0 for w in (60, 100, 70))
    expected = [100 * left(8, k60), 50 * left(2, k100), 50 * left(2, k100) * left(8, k70)]
    np.testing.assert_allclose(values, expected, rtol=1e-7)


def test_the_value_of_the_record_holds_for_repeats_that_are_on_time(model: Model) -> None:
    text = (
        "ID TIME EVID AMT CMT RATE II ADDL L B\n 1 4 0 . . 0 0 0 . .\n"
        " 1 4 1 100 2 25 24 1 1.5 0.5\n 1 4 1 40 2 0 24 1 2 0.25\n 1 6 0 . . 0 0 0 . .\n"
        " 1 30 0 . . 0 0 0 . ."
    )
    table = read(model, text, lag={2: "L"}, bioavailability={2: "B"})
    # 25 an hour for 2 h from 5.5 on; 10 at 6; both again a day later.
    at_6 = 25 / K * (1 - left(0.5)) + 10
    once = 25 / K * (1 - left(2)) * left(22.5) + 10 * left(24)
    np.testing.assert_allclose(seen(model, table), [0.0, at_6, once + at_6], rtol=1e-7)


def test_predictions_stand_beside_the_records(model: Model) -> None:
    text = (
        "ID TIME EVID AMT CMT\n b 0 1 100 2\n b 8 0 . .\n b 8 1 10 2\n b 8 0 . .\n b 0 4 50 2\n"
        " b 8 0 . .\n a 2 1 10 2\n c 1 0 . .\n c 1 1 7 2\n c 1 0 . .\n c 16 0 . ."
    )
    table = read(model, text)
    result = simulate(
        model,
        therapy=table.therapy,
        start=table.start,
        stop=table.stop,
        save_at=table.save_at,
        outputs=["central", "CP"],
        solver=Solver(rtol=1e-9),
    )
    picked = table.at_observations(result, "CP")
    assert picked.dims == ("record",)
    assert picked["id"].values.tolist() == ["b", "b", "b", "c", "c", "c"]
    assert picked["time"].values.tolist() == [8.0, 8.0, 8.0, 1.0, 1.0, 16.0]
    assert picked["period"].values.tolist() == [1, 1, 2, 1, 1, 1]
    np.testing.assert_array_equal(picked["simulation_time"], np.concatenate(table.observations))
    trough = 100 * left(8)
    expected = np.array([trough, trough + 10, 50 * left(8), 0.0, 7.0, 7 * left(15)])
    np.testing.assert_allclose(picked, expected * 1000.0 / V, rtol=1e-7, atol=1e-6)
    assert picked.attrs["units"] == result["CP"].attrs["units"]


# --- Random tables --------------------------------------------------------------------------------


@dataclass
class Body:
    """One compartment that is read record by record: its amount, and what is still to come."""

    k: float
    amount: float = 0.0
    now: float = 0.0
    doses: list[tuple[float, float, float]] = field(default_factory=list)
    running: list[tuple[float, float]] = field(default_factory=list)

    def go(self, to: float) -> None:
        """Move on; what is due at `to` has entered."""
        while due := [dose for dose in self.doses if dose[0] <= to + 1e-9]:
            first = min(due)
            self.doses.remove(first)
            self._decay(max(first[0], self.now))
            when, amount, rate = first
            if rate:
                self.running.append((rate, when + amount / rate))
            else:
                self.amount += amount
        self._decay(to)

    def _decay(self, to: float) -> None:
        while self.now < to:
            end = min([to, *(stop for _, stop in self.running)])
            rate, part = sum(r for r, _ in self.running), left(end - self.now, self.k)
            self.amount = self.amount * part + rate / self.k * (1.0 - part)
            self.now = end
            self.running = [(r, stop) for r, stop in self.running if stop > end]

    def forget(self) -> None:
        """All that was given is gone."""
        self.amount, self.doses, self.running = 0.0, [], []

    def give(self, r: dict[str, float]) -> None:
        """A dose record."""
        if r["SS"] == 1:
            self.forget()
        if r["SS"]:
            # One interval before the next entrance, and all before that one.
            trough = left(r["II"] - r["L"], self.k)
            once = r["AMT"]
            if r["RATE"]:
                length = r["AMT"] / r["RATE"]
                trough = left(r["II"] - length, self.k)
                once = r["RATE"] / self.k * (1.0 - left(length, self.k))
            self.amount += once * trough / (1.0 - left(r["II"], self.k))
        for n in range(int(r["ADDL"]) + 1):
            self.doses.append((r["TIME"] + r["L"] + n * r["II"], r["AMT"], r["RATE"]))
        self.go(r["TIME"])


def interpreted(records: list[dict[str, float]], k: float) -> list[float]:
    """Amounts at the observations of one patient."""
    body, out = Body(k, now=records[0]["TIME"]), []
    for r in records:
        if r["EVID"] in (RESET, RESET_AND_DOSE) and r["TIME"] < body.now - 1e-9:
            body.forget()
            body.now = r["TIME"]
        body.go(r["TIME"])
        if r["EVID"] in (RESET, RESET_AND_DOSE):
            body.forget()
        if r["EVID"] in (DOSE, RESET_AND_DOSE):
            body.give(r)
        if r["EVID"] == OBSERVATION:
            out.append(body.amount)
    return out


def records_of(rng: np.random.Generator, unit: float, lag: float | None) -> list[dict[str, float]]:
    """Records at few times, in any order where they coincide; periods that begin again."""
    out: list[dict[str, float]] = []
    time, dosed = float(rng.integers(0, 3)), False
    for _ in range(rng.integers(3, 16)):
        event = int(rng.choice(5, p=[0.45, 0.38, 0.02, 0.05, 0.10]))
        later = float(rng.choice([0.0, 1.0, 2.0, 6.0], p=[0.6, 0.15, 0.15, 0.1]))
        if event in (RESET, RESET_AND_DOSE) and rng.random() < 0.5:
            later = float(rng.integers(0, 3)) - time
        if later:
            dosed = False
        time += later
        r = dict.fromkeys(("AMT", "RATE", "II", "ADDL", "SS", "L"), 0.0)
        r |= {"TIME": round(time * unit, 9), "EVID": float(event)}
        if event in (DOSE, RESET_AND_DOSE):
            r["AMT"] = float(rng.integers(1, 100))
            r["L"] = unit * (float(rng.choice([0.0, 1.0, 2.0])) if lag is None else lag)
            r["SS"] = float(rng.choice([0, 1, 2], p=[0.7, 0.15, 0.15]))
            if r["SS"] or rng.random() < 0.5:
                r["II"] = unit * float(rng.choice([3.0, 6.0]))
                r["ADDL"] = float(rng.integers(0, 4))
            if rng.random() < 0.3 and not (r["SS"] and r["L"]):
                r["RATE"] = r["AMT"] / (unit * float(rng.choice([0.5, 1.0, 2.0])))
            if r["SS"] == 1.0 and dosed:
                # What such a record replaces is refused; a reset says it.
                r["EVID"] = float(RESET_AND_DOSE)
            dosed = True
        elif event == OBSERVATION:
            dosed = False
        out.append(r)
    return out


def compare(model: Model, seed: int, number: int) -> None:
    rng = np.random.default_rng(seed)
    unit = float(rng.choice([0.1, 1.0, 100.0]))
    lags = rng.choice([0.0, 1.0, 2.0], number) if rng.random() < 0.5 else None
    rates = rng.uniform(0.05, 0.5, number) / unit
    people = [
        records_of(rng, unit, None if lags is None else float(lags[k])) for k in range(number)
    ]
    names = rng.permutation(number) + 2**53 + 1
    rows = [
        {"ID": int(name), "CMT": 2, **r}
        for name, records in zip(names, people, strict=True)
        for r in records
    ]
    frame = pd.DataFrame(rows)
    options: dict[str, Any] = {"lag": {2: "L"}}
    more: dict[str, Any] = {}
    if lags is not None:
        options, more = {"lag": {2: "ALAG2"}, "ignore": ["L"]}, {"ALAG2": lags * unit}
    table = read_events(frame, model, duplicates="keep", **options)
    assert table.ids == tuple(str(name) for name in names)
    values = seen(model, table, **{"CL": rates * V, **more})
    expected = [interpreted(records, k) for records, k in zip(people, rates, strict=True)]
    bounds = np.cumsum([len(times) for times in table.observations])[:-1]
    for k, (one, other) in enumerate(zip(np.split(values, bounds), expected, strict=True)):
        size = max(other, default=0.0)
        # An observation behind the start of an infusion comes an instant later: what has run in.
        rate, end = max(r["RATE"] for r in people[k]), max(r["TIME"] for r in people[k])
        instant = len(people[k]) * LATER * max(1.0, end)
        np.testing.assert_allclose(
            one, other, rtol=0.0, atol=1e-6 * size + 1e-9 + rate * instant, err_msg=str(people[k])
        )


@given(seed=st.integers(0, 2**32 - 1))
@settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_random_tables(model: Model, seed: int) -> None:
    compare(model, seed, 60)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_thousands_of_random_tables(model: Model, seed: int) -> None:
    compare(model, seed, 300)
