"""What all therapy items share: fields that are numbers or one number a patient."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
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

    def arrays(self) -> dict[str, FloatArray]:
        """Fields that differ between patients, by name; those of parts by dotted path."""
        found: dict[str, FloatArray] = {}
        for name, value in fields_of(self).items():
            if isinstance(value, np.ndarray):
                found[name] = value
            for key, part in _parts(value):
                found.update({f"{name}.{key}.{path}": a for path, a in part.arrays().items()})
        return found

    def patients(self) -> dict[str, int]:
        """Count the patients in every field that differs between patients, also inside parts."""
        return {name: len(value) for name, value in self.arrays().items()}

    def select(self, patients: slice | NDArray[np.int64]) -> Self:
        """Keep the values of some patients only.

        Parameters
        ----------
        patients : slice or int64 array
            Positions of the patients.
        """
        if not self.patients():
            return self
        # The values have been checked once; a block of a sweep need not check them again.
        part = object.__new__(type(self))
        for name, value in fields_of(self).items():
            object.__setattr__(part, name, _selected(value, patients))
        return part


def _parts(value: object) -> list[tuple[str, Item]]:
    """Items inside a field, by their key or position."""
    if isinstance(value, Mapping):
        return [(str(key), part) for key, part in value.items() if isinstance(part, Item)]
    if isinstance(value, tuple):
        return [(str(key), part) for key, part in enumerate(value) if isinstance(part, Item)]
    return []


def _selected(value: Any, patients: slice | NDArray[np.int64]) -> Any:
    if isinstance(value, np.ndarray):
        return value[patients]
    if isinstance(value, Mapping):
        return {
            key: part.select(patients) if isinstance(part, Item) else part
            for key, part in value.items()
        }
    if isinstance(value, tuple):
        return tuple(part.select(patients) if isinstance(part, Item) else part for part in value)
    return value


def per_patient_fields(item: object) -> set[str]:
    """Fields of an item that may hold one value a patient, by their declared type."""
    kinds = ("PerPatient", "Series", "Setting", "Amounts")
    fields = dataclasses.fields(cast(Any, item))
    return {f.name for f in fields if any(kind in str(f.type) for kind in kinds)}


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


def store(item: object, **values: object) -> None:
    """Write checked values into a frozen dataclass while it is built."""
    for name, value in values.items():
        object.__setattr__(item, name, value)


def check_name(where: str, field: str, name: object) -> None:
    """Refuse what cannot be the name of a route, state, parameter or observable."""
    if not isinstance(name, str) or not name:
        raise ScenarioError(f"{where}: {field} = {name!r} is not a name.")


def whole(where: str, name: str, value: object, *, at_least: int = 1, at_most: int) -> int:
    """Check a field that is a whole number."""
    given = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not given or not at_least <= int(value) <= at_most:  # type: ignore[call-overload]
        raise ScenarioError(
            f"{where}: {name} = {value!r}. Give a whole number from {at_least} to {at_most}."
        )
    return int(value)  # type: ignore[call-overload, no-any-return]


def series(
    where: str,
    name: str,
    value: object,
    *,
    at_least: float = -math.inf,
    infinite: bool = False,
) -> Series:
    """Check a field that may hold several numbers, such as the times of a dose.

    Parameters
    ----------
    where, name, value, at_least, infinite
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
        _check_range(where, name, array, at_least, infinite)
        return tuple(array.tolist())
    array = _numeric(where, name, value)
    if array.ndim > 2:
        raise ScenarioError(
            f"{where}: {name} has shape {array.shape}. Give an array of shape (n_patients,) or "
            f"(n_patients, number of times)."
        )
    _check_range(where, name, array, at_least, infinite)
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
    if value is None or isinstance(value, str | bytes | bool):
        raise ScenarioError(_no_number(where, name, value))
    try:
        array = np.asarray(value)
    except ValueError:
        raise ScenarioError(
            f"{where}: {name} = {shown(value)} is not a number: the entries differ in length."
        ) from None
    if array.dtype.kind not in "iuf":
        raise ScenarioError(_no_number(where, name, value))
    return array.astype(np.float64)


def _no_number(where: str, name: str, value: object) -> str:
    return f"{where}: {name} = {shown(value)} is not a number. Give a number in the model's units."


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
