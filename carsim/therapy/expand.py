"""Doses and infusions spread out in time: one column an administration, one row a patient.

A table has one row when all patients agree. A time of plus infinity means "not given".
"""

from __future__ import annotations

import numpy as np

from carsim.errors import ScenarioError
from carsim.therapy.doses import MOST_REPEATS, Dose, Infusion
from carsim.therapy.values import FloatArray, columns

CLEAN_DECIMALS = 9


def cleaned(times: FloatArray, size: FloatArray) -> FloatArray:
    """Undo the rounding of sums: 3 x 0.1 means 0.3, not 0.30000000000000004.

    Parameters
    ----------
    times : float64 array
        Computed times.
    size : float64 array, broadcastable
        Largest number that went into each sum.

    Returns
    -------
    float64 array
        The nearest number of nine decimals if it is within the rounding error of the sum (so that a
        dose meets the save time that is written the same way), otherwise the time itself.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        decimal = np.round(times, CLEAN_DECIMALS)
        near = np.abs(decimal - times) <= 4 * np.spacing(np.maximum(np.abs(size), np.abs(times)))
    return np.where(np.isfinite(times) & near, decimal, times)


def repeats(where: str, item: Dose | Infusion, stop: FloatArray) -> FloatArray:
    """Multiples of the interval that an item can need for any patient, shape (k,).

    Parameters
    ----------
    where : str
        Name of the item, for messages.
    item : Dose or Infusion
        The item.
    stop : float64 array, shape (1 or n_patients, 1)
        Stop of the simulation.

    Raises
    ------
    ScenarioError
        More repeats than anybody means.
    """
    if item.every is None:
        return np.zeros(1)
    times = columns(item.at if isinstance(item, Dose) else item.start)
    spans = (_limit(item, stop) - times.min(axis=1, keepdims=True)) / columns(item.every)
    if item.count is not None:
        spans = np.minimum(spans, columns(item.count))
    most = float(np.max(spans)) * times.shape[1]
    if most > MOST_REPEATS:
        raise ScenarioError(
            f"{where}: every = {float(np.min(item.every)):g} makes {most:.3g} repeats for one "
            f"patient, more than {MOST_REPEATS}. Is the interval in the model's time unit? For "
            f"frequent dosing use an Infusion of the same total."
        )
    return np.arange(max(int(np.ceil(np.max(spans))) + 1, 1), dtype=np.float64)


def dose_times(dose: Dose, stop: FloatArray, multiples: FloatArray) -> FloatArray:
    """Spread a dose out in time, shape (1 or n_patients, k x times of `at`).

    Parameters
    ----------
    dose : Dose
        The item.
    stop : float64 array, shape (1 or n_patients, 1)
        Stop of the simulation.
    multiples : float64 array, shape (k,)
        From `repeats`, or zero for the first time only.
    """
    at, limit = columns(dose.at), _limit(dose, stop)
    times = _spread(dose, at, multiples)
    times = np.where(times < limit, times, np.inf)
    if dose.count is not None:
        number = np.repeat(multiples, at.shape[1])
        times = np.where(number < columns(dose.count), times, np.inf)
    return np.where(dose_amounts(dose, times.shape[1]) > 0, times, np.inf)


def dose_amounts(dose: Dose, n_columns: int) -> FloatArray:
    """Amounts that go with `dose_times`, shape (1 or n_patients, 1 or n_columns)."""
    amounts = columns(dose.amount)
    if amounts.shape[1] == 1:
        return amounts
    return np.tile(amounts, (1, n_columns // amounts.shape[1]))


def infusion_times(
    infusion: Infusion, stop: FloatArray, multiples: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Beginning and end of all infusions, shape (1 or n_patients, k) each.

    Parameters
    ----------
    infusion : Infusion
        The item.
    stop : float64 array, shape (1 or n_patients, 1)
        Stop of the simulation.
    multiples : float64 array, shape (k,)
        From `repeats`, or zero for the first infusion only.

    Returns
    -------
    tuple of two float64 arrays
        Infinite where not given; an end at or after `stop` is infinite.
    """
    begins = _spread(infusion, columns(infusion.start), multiples)
    length = columns(infusion.length())
    if infusion.stop is None:
        ends = cleaned(begins + length, np.maximum(np.abs(begins), length))
    else:
        ends = columns(infusion.stop)
    begins, ends, length, speed = np.broadcast_arrays(begins, ends, length, infusion.speed())
    given = (begins < _limit(infusion, stop)) & (length > 0) & (speed > 0)
    if infusion.count is not None:
        given = given & (multiples < columns(infusion.count))
    begins, ends, given, last = np.broadcast_arrays(begins, ends, given, stop)
    return (
        np.where(given, begins, np.inf),
        np.where(given & (ends < last), ends, np.inf),
    )


def _limit(item: Dose | Infusion, stop: FloatArray) -> FloatArray:
    """Time before which the last one begins."""
    return stop if item.until is None else np.minimum(stop, columns(item.until))


def _spread(item: Dose | Infusion, first: FloatArray, multiples: FloatArray) -> FloatArray:
    if item.every is None:
        return first
    steps = columns(item.every) * multiples
    table = first[:, None, :] + steps[:, :, None]
    size = np.maximum(np.abs(first[:, None, :]), steps[:, :, None])
    return cleaned(table, size).reshape(len(table), -1)
