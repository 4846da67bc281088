"""Values of parameters and initial states for n patients at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carsim.errors import ModelError, ScenarioError, unknown
from carsim.model.fields import ParameterField
from carsim.model.recording import Recording
from carsim.model.records import Record

if TYPE_CHECKING:
    from carsim.model.model import Model

__all__ = ["initial_state", "parameter_values"]


def parameter_values(
    model: Model,
    overrides: Mapping[str, ArrayLike],
    variants: Sequence[str],
    n: int | None,
) -> NDArray[np.float64]:
    """Defaults, then variants in order, then overrides; see `Model.parameter_values`."""
    given = {
        name: _as_array(_settable(model, name), value, model) for name, value in overrides.items()
    }
    size = _patients(model, given, n)
    table = np.empty((size, len(model.parameters)))
    table[:] = [field.value for field in model.parameters]
    for name, value in _variant_values(model, variants).items():
        table[:, model.parameter_index[name]] = value
    for name, values in given.items():
        table[:, model.parameter_index[name]] = values
    return table


def _settable(model: Model, name: str) -> ParameterField:
    index = model.parameter_index.get(name)
    if index is None:
        raise ScenarioError(
            unknown("parameter", name, _settable_names(model), f"model {model.name!r}")
        )
    field = model.parameters[index]
    if field.computed:
        raise ScenarioError(
            f"model {model.name!r}: parameter {name!r} is computed by the model "
            f"({field.provenance.text}) and cannot be set."
        )
    return field


def _settable_names(model: Model) -> list[str]:
    return [field.name for field in model.parameters if not field.computed]


def _as_array(field: ParameterField, value: ArrayLike, model: Model) -> NDArray[np.float64]:
    where = f"model {model.name!r}: parameter {field.name!r}"
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ScenarioError(
            f"{where} is {value!r}; give a number or one number per patient, in [{field.unit}]."
        ) from None
    if array.ndim > 1:
        raise ScenarioError(
            f"{where} has shape {array.shape}; give a number or one number per patient."
        )
    bad = ~np.isfinite(array)
    if bad.any():
        raise ScenarioError(
            f"{where} is {_worst(array, bad)}; give a finite number in [{field.unit}]."
        )
    for outside, side, bound in (
        (array < field.lower, "below the lower", field.lower),
        (array > field.upper, "above the upper", field.upper),
    ):
        if outside.any():
            raise ScenarioError(
                f"{where} is {_worst(array, outside)} [{field.unit}], {side} bound "
                f"{bound:g} [{field.unit}] of {field.words}."
            )
    return array


def _worst(array: NDArray[np.float64], bad: NDArray[np.bool_]) -> str:
    """First bad value, with its patient when there are several."""
    if array.ndim == 0:
        return f"{float(array):g}"
    patient = int(np.argmax(bad))
    count = int(bad.sum())
    others = f" (and {count - 1} more)" if count > 1 else ""
    return f"{array[patient]:g} for patient {patient}{others}"


def _patients(model: Model, given: Mapping[str, NDArray[np.float64]], n: int | None) -> int:
    lengths = {name: len(values) for name, values in given.items() if values.ndim}
    if n is None:
        n = next(iter(lengths.values()), 1)
    for name, length in lengths.items():
        if length != n:
            raise ScenarioError(
                f"model {model.name!r}: parameter {name!r} has {length} values for {n} "
                f"patient{'s' if n != 1 else ''}; give one number per patient, or one for all."
            )
    return n


def _variant_values(model: Model, variants: Sequence[str]) -> dict[str, float]:
    if isinstance(variants, str):
        raise ScenarioError(f"variants is the text {variants!r}; give a list: [{variants!r}].")
    chosen: dict[str, float] = {}
    groups: dict[str, str] = {}
    for name in variants:
        declared = model.variants.get(name)
        if declared is None:
            raise ScenarioError(unknown("variant", name, model.variants, f"model {model.name!r}"))
        if declared.group is not None:
            other = groups.setdefault(declared.group, name)
            if other != name:
                raise ScenarioError(
                    f"model {model.name!r}: variants {other!r} and {name!r} are both of the group "
                    f"{declared.group!r} and exclude each other; choose one."
                )
        chosen.update({key: value for key, (value, _) in declared.values.items()})
    return chosen


def initial_state(
    model: Model, parameters: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute initial states and computed parameters; see `Model.initial_state`."""
    table = np.array(parameters, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != len(model.parameters):
        raise ScenarioError(
            f"model {model.name!r}: the parameter table has shape {table.shape}; "
            f"expected (n, {len(model.parameters)})."
        )
    n = len(table)
    if model.recorded_start is not None:
        return _replayed(model, model.recorded_start, table)
    if model.initialise is None:
        if model.initial is None:
            states = np.tile([field.initial for field in model.states], (n, 1))
            return states.astype(np.float64), table
        with np.errstate(all="ignore"):
            record = model.initial(model.parameter_record(_columns(table)))
        return _table(model, "initial", record, model.state_class, n), table
    with np.errstate(all="ignore"):
        result: Any = model.initialise(model.parameter_record(_columns(table)))
    if not isinstance(result, tuple) or len(result) != 2:
        raise ModelError(
            f"model {model.name!r}: initialise returned {type(result).__name__}; return the pair "
            f"{model.state_class.__name__}(...), {model.parameter_class.__name__}(...)."
        )
    states = _table(model, "initialise", result[0], model.state_class, n)
    filled = _table(model, "initialise", result[1], model.parameter_class, n)
    for index, field in enumerate(model.parameters):
        if not field.computed and not np.array_equal(filled[:, index], table[:, index]):
            raise ModelError(
                f"model {model.name!r}: initialise changed the parameter {field.name!r}, which is "
                "not computed. Declare it with computed(...), or return it as it came."
            )
    return states, filled


def _replayed(
    model: Model, start: Recording, table: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Initial states as `initial` or `initialise` computed them when the model was built."""
    with np.errstate(all="ignore"):
        leaves = start.replay(_columns(table))
    states = np.empty((len(table), len(model.states)))
    for index in range(len(model.states)):
        states[:, index] = leaves[index]
    for index, leaf in enumerate(leaves[len(model.states) :]):
        table[:, index] = leaf
    return states, table


def _columns(table: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    return [table[:, index].copy() for index in range(table.shape[1])]


def _table(
    model: Model, function: str, record: Any, expected: type[Record], n: int
) -> NDArray[np.float64]:
    where = f"model {model.name!r}: {function}"
    if not isinstance(record, expected):
        raise ModelError(
            f"{where} returned {type(record).__name__} where a {expected.__name__} is needed."
        )
    names = model.state_names if expected is model.state_class else model.parameter_names
    table = np.empty((n, len(names)))
    for index, (name, values) in enumerate(zip(names, record._leaves(), strict=True)):
        column = np.asarray(values, dtype=np.float64)
        if column.shape not in ((), (n,)):
            raise ModelError(
                f"{where}: {name!r} has shape {column.shape}; expected one value per patient, "
                f"({n},)."
            )
        table[:, index] = column
    return table
