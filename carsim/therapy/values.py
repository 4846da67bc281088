"""What all therapy items share: fields that are numbers or one number a patient."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Self, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from carsim.errors import ScenarioError

FloatArray: TypeAlias = NDArray[np.float64]
PerPatient: TypeAlias = float | FloatArray
"""A number for everybody, or an array of shape (n_patients,)."""

Series: TypeAlias = float | Sequence[float] | FloatArray
"""A number; a list or tuple (several for everybody); an array (n_patients,) or (n_patients, k)."""

PER_PATIENT_HINT = "For one value a patient give a numpy array of shape (n_patients,)."


@dataclasses.dataclass(frozen=True, eq=False)
class Item:
    """One entry of a therapy: an immutable dataclass that compares by value."""

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(_same(mine, getattr(other, name)) for name, mine in fields_of(self).items())

    def __hash__(self) -> int:
        return hash(type(self))

    def patients(self) -> dict[str, int]:
        """Count the patients in every field that differs between patients."""
        return {
            name: len(value)
            for name, value in fields_of(self).items()
            if isinstance(value, np.ndarray)
        }

    def take(self, first: int, last: int) -> Self:
        """Keep the values of patients ``first`` to ``last - 1`` only.

        Parameters
        ----------
        first, last : int
            Range of patients; `last` is exclusive.
        """
        varying = self.patients()
        if not varying:
            return self
        # The values have been checked once; a block of a sweep need not check them again.
        part = object.__new__(type(self))
        for name, value in fields_of(self).items():
            object.__setattr__(part, name, value[first:last] if name in varying else value)
        return part


def fields_of(item: object) -> dict[str, Any]:
    """Fields of a dataclass by name, unconverted."""
    return {field.name: getattr(item, field.name) for field in dataclasses.fields(cast(Any, item))}


def _same(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return (
            isinstance(one, np.ndarray)
            and isinstance(other, np.ndarray)
            and np.array_equal(one, other)
        )
    return bool(one == other)


def number(
    where: str,
    name: str,
    value: object,
    *,
    at_least: float = -math.inf,
    infinite: bool = False,
) -> PerPatient:
    """Check a field that is a number or one number a patient.

    Parameters
    ----------
    where : str
        Item, for messages: ``"Dose into 'car_t'"``.
    name : str
        Field.
    value : object
        What was given.
    at_least : float
        Smallest value allowed.
    infinite : bool
        Whether plus infinity ("for ever") is allowed.

    Returns
    -------
    float or float64 array, shape (n_patients,)
        A copy that cannot be written to.

    Raises
    ------
    ScenarioError
        Not a number, NaN, infinite, too small, or an array of more than one dimension.
    """
    if isinstance(value, list | tuple):
        raise ScenarioError(
            f"{where}: {name} = {shown(value)} is a list. Give one number. {PER_PATIENT_HINT}"
        )
    array = _numeric(where, name, value)
    if array.ndim > 1:
        raise ScenarioError(
            f"{where}: {name} has shape {array.shape}. Give one number. {PER_PATIENT_HINT}"
        )
    _check_range(where, name, array, at_least, infinite)
    return float(array) if array.ndim == 0 else _frozen(array)


def series(where: str, name: str, value: object, *, at_least: float = -math.inf) -> Series:
    """Check a field that may hold several numbers, such as the times of a dose.

    Parameters
    ----------
    where, name, value, at_least
        As for `number`.

    Returns
    -------
    float, tuple of float, or float64 array of shape (n_patients,) or (n_patients, k)
        A list or tuple stays a series for everybody; an array is by patient.
    """
    if isinstance(value, list | tuple):
        if not value:
            raise ScenarioError(
                f"{where}: {name} is empty. Give at least one number, or leave the item out."
            )
        array = _numeric(where, name, value)
        if array.ndim != 1:
            raise ScenarioError(f"{where}: {name} must be a plain list of numbers.")
        _check_range(where, name, array, at_least, False)
        return tuple(array.tolist())
    array = _numeric(where, name, value)
    if array.ndim > 2:
        raise ScenarioError(
            f"{where}: {name} has shape {array.shape}. Give an array of shape (n_patients,) or "
            f"(n_patients, number of times)."
        )
    _check_range(where, name, array, at_least, False)
    return float(array) if array.ndim == 0 else _frozen(array)


def columns(value: Series | PerPatient) -> FloatArray:
    """Spread a field over a table, shape (1 or n_patients, 1 or k)."""
    if isinstance(value, np.ndarray) and value.ndim:
        return value if value.ndim == 2 else value[:, None]
    return np.atleast_1d(np.asarray(value, dtype=np.float64))[None, :]


def shown(value: object) -> str:
    """Spell a value for a message, shortened."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _numeric(where: str, name: str, value: object) -> FloatArray:
    hint = f"{where}: {name} = {shown(value)} is not a number"
    if value is None or isinstance(value, str | bytes | bool):
        raise ScenarioError(f"{hint}. Give a number in the model's units.")
    try:
        array = np.asarray(value)
    except ValueError:
        raise ScenarioError(f"{hint}: the entries differ in length.") from None
    if array.dtype.kind not in "iuf":
        raise ScenarioError(f"{hint}. Give a number in the model's units.")
    return array.astype(np.float64)


def _check_range(where: str, name: str, array: FloatArray, at_least: float, infinite: bool) -> None:
    if array.ndim and array.shape[0] == 0:
        raise ScenarioError(f"{where}: {name} is empty. {PER_PATIENT_HINT}")
    allowed = ~np.isnan(array) & (array > -np.inf) & (infinite | (array < np.inf))
    if not allowed.all():
        raise ScenarioError(f"{where}: {name} = {_first(array, ~allowed)}. It must be finite.")
    if (array < at_least).any():
        limit = "negative" if at_least == 0 else f"below {at_least:g}"
        raise ScenarioError(
            f"{where}: {name} = {_first(array, array < at_least)} is {limit}. "
            f"Give {at_least:g} or more."
        )


def _first(array: FloatArray, wrong: NDArray[np.bool_]) -> str:
    if array.ndim == 0:
        return f"{float(array):g}"
    place = tuple(int(k) for k in np.argwhere(wrong)[0])
    return f"{float(array[place]):g} (entry {place[0] if len(place) == 1 else place})"


def _frozen(array: FloatArray) -> FloatArray:
    array.setflags(write=False)
    return array
