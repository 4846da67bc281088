"""Records of an event table: what they may say, and what of it still holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from carsim.engine.plan import SAME_INSTANT
from carsim.therapy.doses import SHORTEST_INFUSION
from carsim.therapy.expand import cleaned
from carsim.therapy.sheet import Sheet
from carsim.therapy.values import FloatArray

IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]

OBSERVATION, DOSE, OTHER, RESET, RESET_AND_DOSE = range(5)
MODELED_RATE, MODELED_DURATION = -1.0, -2.0

LATER = 4.0 * SAME_INSTANT
"""An instant later: so much, by the larger of 1 and the time, that two times are not one."""


@dataclass(frozen=True)
class Records:
    """Columns of all records, or of some.

    The `clock` of the simulation is where TIME alone would put a record; its `time` there lies
    behind that if the record stands behind an observation of the same time.
    """

    row: IntArray
    patient: IntArray
    clock: FloatArray
    time: FloatArray
    event: IntArray
    amount: FloatArray
    rate: FloatArray
    duration: FloatArray
    interval: FloatArray
    additional: FloatArray
    steady: FloatArray
    target: IntArray

    def take(self, rows: BoolArray | IntArray) -> Records:
        """Choose rows, by mask or by place."""
        return Records(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Timing:
    """When the records of a table take place.

    Attributes
    ----------
    period : int64 array, shape (n_records,)
        Number of the period of each record, from 1; a new one begins where TIME begins again.
    clock, time : float64 arrays, shape (n_records,)
        See `Records`.
    """

    period: IntArray
    clock: FloatArray
    time: FloatArray


def timing(patient: IntArray, given: FloatArray, event: IntArray, carries: BoolArray) -> Timing:
    """Put records on the clock of the simulation, in the order in which they stand.

    What is saved at a time is the value after all that happens then. So a dose or a reset that
    stands behind an observation of the same time comes an instant later, with all that follows it
    at that time. A period of a crossover begins an instant after the last record of the one before.

    Parameters
    ----------
    patient, given, event : arrays, shape (n_records,)
        Patient, TIME and EVID. TIME decreases at resets only.
    carries : bool array, shape (n_records,)
        Records whose lag nobody knows here: if one comes later, so does all that follows it, so
        that an observation meets what enters at its time.
    """
    ahead = np.diff(patient, prepend=-1) == 0
    new = np.append(True, np.diff(given) < 0.0) & ahead
    first = np.flatnonzero(~ahead)
    period = 1 + np.cumsum(new) - np.cumsum(new)[first][patient]
    clock, time = given.copy(), given.copy()
    last = np.append(first[1:], len(patient))
    for who in np.unique(patient[new | _behind_observations(patient, given, event)]):
        rows = slice(first[who], last[who])
        clock[rows], time[rows] = _in_order(given[rows], event[rows], new[rows], carries[rows])
    return Timing(period, clock, time)


def _behind_observations(patient: IntArray, given: FloatArray, event: IntArray) -> BoolArray:
    """Records that act, and follow an observation at about the same time."""
    apart = np.abs(np.diff(given)) > SAME_INSTANT * np.maximum(np.abs(given[1:]), 1.0)
    begins = np.append(True, apart | (np.diff(patient) != 0))
    seen = np.cumsum(event == OBSERVATION)
    before = seen[begins] - (event[begins] == OBSERVATION)
    behind: BoolArray = seen > before[np.cumsum(begins) - 1]
    return behind & np.isin(event, (DOSE, RESET, RESET_AND_DOSE))


def _in_order(
    given: FloatArray, event: IntArray, new: BoolArray, carries: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Clock and time of the records of one patient, shape (n_records,) each."""
    clock, time = given.copy(), np.empty(len(given))
    now, seen = 0.0, False
    for k in range(len(given)):
        if new[k]:
            clock[k:] = _moved(given[k:], clock[k - 1] - given[k])
        tied = k > 0 and clock[k] - now <= SAME_INSTANT * max(1.0, abs(now))
        acts = event[k] in (DOSE, RESET, RESET_AND_DOSE)
        if not tied:
            now, seen = clock[k], False
        elif acts and (seen or new[k]):
            now, seen = float(_moved(now, LATER * max(1.0, abs(now)))), False
        if carries[k] and now > clock[k]:
            clock[k:] = _moved(clock[k:], now - clock[k])
        seen = seen or bool(event[k] == OBSERVATION)
        time[k] = now
    return clock, time


def is_late(r: Records) -> BoolArray:
    """Records that come an instant later than their clock."""
    late: BoolArray = r.time - r.clock > SAME_INSTANT * np.maximum(np.abs(r.clock), 1.0)
    return late


def _moved(times: FloatArray | float, offset: float) -> FloatArray:
    """Times that an item will have too, whose sums lose their rounding."""
    return cleaned(np.add(times, offset), np.maximum(np.abs(times), abs(offset)))


def check_records(sheet: Sheet, r: Records) -> None:
    """Refuse records that contradict themselves.

    Parameters
    ----------
    sheet : Sheet
        Where they stand, for messages.
    r : Records
        All records.
    """
    refuse = sheet.refuse_any
    gives = np.isin(r.event, (DOSE, RESET_AND_DOSE))
    columns = {
        "AMT": r.amount,
        "RATE": r.rate,
        "DUR": r.duration,
        "II": r.interval,
        "ADDL": r.additional,
        "SS": r.steady,
    }
    for name, values in columns.items():
        words = " on a record that is no dose. Give EVID = 1 for a dose, or nothing here."
        if name in sheet:
            refuse(~gives & (values != 0.0), name, words)
    if "AMT" in sheet:
        missing = gives & np.isnan(sheet.numbers("AMT"))
        missing &= (r.rate == 0.0) | (r.steady == 0.0)
        refuse(missing, "AMT", ": the amount of a dose is missing. Give a number.")
    for name in ("AMT", "DUR", "II", "ADDL"):
        refuse(columns[name] < 0.0, name, " is negative. Give 0 or more.")
    words = " is unknown. Give 1 to replace what is there, 2 to add to it, 0 for neither."
    refuse(~np.isin(r.steady, (0.0, 1.0, 2.0)), "SS", words)
    refuse(r.additional % 1 != 0.0, "ADDL", " must be a whole number.")
    modeled = np.isin(r.rate, (MODELED_RATE, MODELED_DURATION))
    words = " is negative. Give a rate, 0 for none, -1 for a modeled rate, -2 for a duration."
    refuse((r.rate < 0.0) & ~modeled, "RATE", words)
    words = " contradicts the rate of the record. Give one of them."
    refuse((r.duration > 0.0) & (r.rate != 0.0), "DUR", words)
    constant = gives & (r.amount == 0.0) & (r.rate != 0.0)
    words = (
        " without an amount never ends. Give AMT, or SS = 1 for an infusion that has always "
        "run and ends here."
    )
    refuse(constant & ((r.steady == 0.0) | (r.rate == MODELED_DURATION)), "RATE", words)
    words = ": an infusion that has always run has no interval. Give 0."
    refuse(constant & (r.interval != 0.0), "II", words)
    refuse(constant & (r.additional != 0.0), "ADDL", words)
    steady = (r.steady > 0.0) & ~constant
    words = " needs the interval between the doses. Give II above 0."
    refuse(steady & (r.interval == 0.0), "SS", words)
    refuse((r.additional > 0.0) & (r.interval == 0.0), "ADDL", words)
    words = ": a steady state needs an amount. Give one above 0."
    refuse(steady & (r.amount == 0.0), "AMT", words)
    short = (r.rate > 0.0) & (r.amount > 0.0)
    short &= r.amount < SHORTEST_INFUSION * np.where(short, r.rate, 0.0)
    refuse(short, "RATE", " makes an infusion so short that it is a dose. Give RATE = 0.")
    words = " is so short that it is a dose. Give DUR = 0."
    refuse((r.duration > 0.0) & (r.duration < SHORTEST_INFUSION), "DUR", words)


def check_duplicates(sheet: Sheet, r: Records, more: Sequence[str]) -> None:
    """Refuse records of one time that are the same in everything.

    Parameters
    ----------
    sheet : Sheet
        Where they stand.
    r : Records
        Doses and resets.
    more : sequence of str
        Columns that matter too: lags and the like.
    """
    names = [name for name in r.__dataclass_fields__ if name != "row"]
    # Records of one time are neighbors, but identical ones need not be.
    columns = [getattr(r, name) for name in names]
    columns += [sheet.numbers_or(column, 0.0)[r.row] for column in more]
    order = np.lexsort([r.row, *reversed(columns)])
    same = np.ones(max(len(order) - 1, 0), dtype=np.bool_)
    for values in columns:
        same &= values[order][1:] == values[order][:-1]
    for place in np.flatnonzero(same)[:1]:
        first, second = (int(r.row[order[k]]) for k in (place, place + 1))
        sheet.refuse(
            second,
            "TIME",
            f": the record is the same as that of {sheet.place(first)}. Remove one, or "
            f'give duplicates = "keep" if both are meant.',
        )


def without_lost(sheet: Sheet, doses: Records, resets: Records) -> Records:
    """Leave out what a later record of the same patient and time undoes.

    Parameters
    ----------
    sheet : Sheet
        Where they stand.
    doses, resets : Records
        All doses, and all resets.
    """
    if doses.row.size == 0:
        return doses
    follower = _same_time_later(doses, resets)
    kept = doses.take(follower < 0)
    replacing = kept.take((kept.steady == 1.0) & (kept.event == DOSE))
    replaced = _same_time_later(kept, replacing)
    for k in np.flatnonzero((replaced >= 0) & ((kept.amount > 0) | (kept.steady > 0)))[:1]:
        other = int(replacing.row[replaced[k]])
        sheet.refuse(
            other,
            "SS",
            f" replaces what {sheet.place(int(kept.row[k]))} gives at the same time. "
            f"Leave that record out, let it follow this one, or give SS = 2 here.",
        )
    return kept


def _same_time_later(records: Records, others: Records) -> IntArray:
    """Find for each record the last of `others` that follows it at the same time; -1 for none."""
    follower = np.full(len(records.row), -1, dtype=np.int64)
    if not others.row.size:
        return follower
    # Records of one patient and time are consecutive rows, so the last of them decides.
    keys = {
        (int(p), float(t)): k
        for k, (p, t) in enumerate(zip(others.patient, others.time, strict=True))
    }
    for k, (p, t) in enumerate(zip(records.patient, records.time, strict=True)):
        found = keys.get((int(p), float(t)), -1)
        if found >= 0 and others.row[found] > records.row[k]:
            follower[k] = found
    return follower


def rank_in_patient(patient: IntArray) -> IntArray:
    """Place of each record among those of its patient, which stand together."""
    starts = np.flatnonzero(np.diff(patient, prepend=-1))
    lengths = np.diff(np.append(starts, len(patient)))
    return np.arange(len(patient)) - np.repeat(starts, lengths)


def by_patient(
    patient: IntArray, n: int, *columns: tuple[FloatArray, float]
) -> tuple[FloatArray, ...]:
    """Values of records by patient, shape (n, k), or (n,) for one a patient at most."""
    rank = rank_in_patient(patient)
    width = int(rank.max()) + 1
    tables = []
    for values, pad in columns:
        table = np.full((n, width), pad)
        table[patient, rank] = values
        tables.append(table if width > 1 else table[:, 0])
    return tuple(tables)
