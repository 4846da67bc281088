"""Random event tables, one patient a regimen: records of linear_pk.py, and NONMEM's columns."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.verification.linear_pk import DOSE, RESET, RESET_AND_DOSE, Linear, Record

Array = NDArray[np.float64]

LAST = 48.0
GRID = np.sort(np.concatenate([np.arange(0.0, LAST, 4.0), np.arange(0.37, LAST, 5.17)]))
"""Times to compare: some on which records fall, and some on which none does."""

COMPARTMENTS = ("depot", "central", "peripheral")


@dataclass(frozen=True)
class Regimens:
    """Patients with their own parameters and records.

    Parameters
    ----------
    models : list of Linear
        One a patient.
    records : list of list of Record
        Of each patient, in the order of their times.
    """

    models: list[Linear]
    records: list[list[Record]]

    def parameters(self) -> dict[str, Array]:
        """Parameters of two_compartments.py; without exchange there is one compartment."""
        values = {
            "CL": [model.CL for model in self.models],
            "V": [model.V for model in self.models],
            "KA": [model.ka or 0.0 for model in self.models],
            "Q": [model.Q or 0.0 for model in self.models],
            "V2": [model.V2 or 1.0 for model in self.models],
        }
        return {name: np.array(column) for name, column in values.items()}

    def columns(self) -> dict[str, list[float]]:
        """Columns of the event table of all patients."""
        rows = [
            (number, record) for number, records in enumerate(self.records) for record in records
        ]
        return {
            "ID": [float(number) for number, _ in rows],
            "TIME": [r.time for _, r in rows],
            "EVID": [float(r.event) for _, r in rows],
            "AMT": [r.amount for _, r in rows],
            "CMT": [r.compartment + 1.0 for _, r in rows],
            "RATE": [r.rate for _, r in rows],
            "II": [r.interval for _, r in rows],
            "ADDL": [float(r.additional) for _, r in rows],
            "SS": [float(r.steady_state) for _, r in rows],
            "LAG": [r.lag for _, r in rows],
            "F": [r.bioavailability for _, r in rows],
            "R": [r.modeled_rate for _, r in rows],
            "D": [r.modeled_duration for _, r in rows],
        }


def regimens(seed: int, number: int) -> Regimens:
    """Draw patients with up to five records each."""
    rng = np.random.default_rng(seed)
    models = [_model(rng) for _ in range(number)]
    return Regimens(models, [_records(rng, len(model.compartments)) for model in models])


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def _model(rng: np.random.Generator) -> Linear:
    V, ka = _between(rng, 2.0, 30.0), _between(rng, 0.1, 1.5)
    CL = V * _between(rng, 0.02, 3.0)
    if rng.random() < 0.4:
        return Linear(CL, V, ka)
    return Linear(CL, V, ka, _between(rng, 0.1, 5.0), _between(rng, 2.0, 60.0))


def _time(rng: np.random.Generator, low: float, high: float) -> float:
    """A time that others may coincide with, exactly, or that is nobody else's."""
    if rng.random() < 0.7:
        return low + round(rng.uniform(0.0, high - low) * 2.0) / 2.0
    return rng.uniform(low, high)


def _records(rng: np.random.Generator, n_compartments: int) -> list[Record]:
    times = sorted(_time(rng, 0.0, 40.0) for _ in range(rng.integers(1, 6)))
    if rng.random() < 0.3:
        times[-1] = times[0]
        times.sort()
    records: list[Record] = []
    for time in times:
        coincides = bool(records) and records[-1].time == time
        records.append(_record(rng, time, n_compartments, coincides))
    return records


def _record(rng: np.random.Generator, time: float, n_compartments: int, coincides: bool) -> Record:
    event = int(rng.choice([DOSE, RESET, RESET_AND_DOSE], p=[0.84, 0.06, 0.1]))
    if event == RESET:
        return Record(time, event=RESET)
    steady = int(rng.choice([0, 1, 2], p=[0.65, 0.2, 0.15]))
    if steady == 1 and coincides:
        # What such a record replaces is refused; a reset says it.
        event = RESET_AND_DOSE
    compartment = int(rng.integers(n_compartments))
    if steady and rng.random() < 0.15:
        rate = _between(rng, 1.0, 100.0)
        return Record(time, 0.0, compartment, rate, steady_state=steady, event=event)
    amount = _between(rng, 10.0, 500.0)
    duration = min(_time(rng, 0.5, 30.0), _between(rng, 0.5, 60.0))
    additional = int(rng.integers(0, 6)) if rng.random() < 0.5 else 0
    interval = _time(rng, 1.0, 14.0) if additional or steady else 0.0
    lag = _time(rng, 0.0, 20.0) if rng.random() < 0.4 else 0.0
    share = rng.uniform(0.1, 1.5) if rng.random() < 0.4 else 1.0
    kind = int(rng.integers(4))
    return Record(
        time,
        amount,
        compartment,
        (0.0, amount / duration, -1.0, -2.0)[kind],
        interval,
        additional,
        steady,
        lag,
        share,
        event,
        amount / duration if kind == 2 else 0.0,
        duration if kind == 3 else 0.0,
    )
