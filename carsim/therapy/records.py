"""Records of an event table: what they may say, and what of it still holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from carsim.therapy.doses import SHORTEST_INFUSION
from carsim.therapy.sheet import Sheet
from carsim.therapy.values import FloatArray

IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]

OBSERVATION, DOSE, OTHER, RESET, RESET_AND_DOSE = range(5)
MODELED_RATE, MODELED_DURATION = -1.0, -2.0


@dataclass(frozen=True)
class Records:
    """Columns of all records, or of some."""

    row: IntArray
    patient: IntArray
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
