"""What must hold before a model exists: declarations, and one trial run of its equations."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carsim.errors import ModelError, unknown
from carsim.model.blame import blame, explain, place, relative
from carsim.model.declarations import Fraction, Observable, Route, Variant
from carsim.model.fields import ParameterField, StateField
from carsim.model.probe import Probe, symbol
from carsim.model.provenance import Assumed, Cited, Derived
from carsim.model.recording import RecordedFraction, Recording
from carsim.model.records import Parameters, Record, State
from carsim.names import RESULT_NAMES, free_name
from carsim.units import parse_unit

if TYPE_CHECKING:
    from carsim.model.model import Model

__all__ = [
    "check_declarations",
    "require_arguments",
    "require_items",
    "trial_run",
]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_DOTTED = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*")


def require_arguments(name: object, rhs: object, states: object, parameters: object) -> None:
    """Refuse arguments of a wrong kind before anything is read from them."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ModelError(
            f"Model({name!r}, ...): the name must be one word of letters, digits and underscores, "
            "the same as the file of the model."
        )
    if not callable(rhs) or not hasattr(rhs, "__code__"):
        raise ModelError(f"model {name!r}: rhs must be a function rhs(t, y, p), got {rhs!r}.")
    for given, kind in ((states, State), (parameters, Parameters)):
        if not (isinstance(given, type) and issubclass(given, kind)):
            raise ModelError(
                f"model {name!r}: expected Model(name, rhs, <State class>, <Parameters class>), "
                f"got {given!r} where the {kind.__name__} class belongs."
            )


def require_items(
    name: str, observables: Iterable[object], routes: Iterable[object], variants: Iterable[object]
) -> None:
    """Refuse lists that hold something else than what their names say."""
    for items, kind, advice in (
        (observables, Observable, "decorate the function with @observable(unit, words)"),
        (routes, Route, "write route(name, unit, words, {state: fraction})"),
        (variants, Variant, "write variant(name, words, {parameter: (value, source)})"),
    ):
        for item in items:
            if not isinstance(item, kind):
                raise ModelError(
                    f"model {name!r}: {kind.__name__.lower()}s holds {item!r}, which is not one; "
                    f"{advice}."
                )


def check_declarations(model: Model, routes: Sequence[Route], variants: Sequence[Variant]) -> None:
    """Raise one ModelError that lists every wrong declaration."""
    problems = [
        *_time_unit_problems(model),
        *_area_problems(model),
        *_name_problems(model, routes, variants),
        *(problem for field in model.states for problem in _state_problems(field)),
        *(problem for field in model.parameters for problem in _parameter_problems(field)),
        *(problem for item in model.observables for problem in _observable_problems(item)),
        *(problem for item in routes for problem in _route_problems(model, item)),
        *(problem for item in variants for problem in _variant_problems(model, item)),
        *_initial_problems(model),
    ]
    if problems:
        where = f"model {model.name!r} ({relative(model.file)})"
        separator = "\n  " if len(problems) > 1 else " "
        raise ModelError(f"{where}:{separator}{separator.join(problems)}")


def _time_unit_problems(model: Model) -> Iterable[str]:
    yield from _unit_problem("time_unit", model.time_unit)
    if not _unit_problem("", model.time_unit) and not parse_unit(model.time_unit).compatible(
        parse_unit("day")
    ):
        yield f"time_unit is {model.time_unit!r}, which is not a time."


def _name_problems(
    model: Model, routes: Sequence[Route], variants: Sequence[Variant]
) -> Iterable[str]:
    if not model.states:
        yield f"the record {model.state_class.__name__} has no states."
    owner: dict[str, str] = {}
    for kind, names in (
        ("state", model.state_names),
        ("parameter", model.parameter_names),
        ("observable", model.observable_names),
    ):
        for name in names:
            if name in RESULT_NAMES:
                free = free_name(name, RESULT_NAMES)
                yield (
                    f"{kind} {name!r}: the result uses this name itself, for "
                    f"{RESULT_NAMES[name]}; choose another, for example {free!r}."
                )
            if kind == "observable" and not _DOTTED.fullmatch(name):
                yield f"observable {name!r}: a name is made of letters, digits, '_' and '.'."
            if name in owner:
                yield f"{kind} {name!r}: a {owner[name]} has the same name; choose another."
            owner.setdefault(name, kind)
    for kind, listed in (
        ("route", [item.name for item in routes]),
        ("variant", [item.name for item in variants]),
    ):
        for name in sorted({name for name in listed if listed.count(name) > 1}):
            yield f"{kind} {name!r} is declared twice."
    for item in routes:
        if item.name in model.state_index:
            yield f"route {item.name!r}: a state has the same name; choose another."


def _area_problems(model: Model) -> Iterable[str]:
    area: object = model.area
    if not isinstance(area, str) or "\n" in area:
        yield f"area is {area!r}; write the section of the catalogue in a few words, 'virus'."


def _state_problems(field: StateField) -> Iterable[str]:
    label = _label("state", field)
    yield from _unit_problem(label, field.unit)
    yield from _words_problem(label, field.words)
    if not _finite(field.initial):
        yield f"{label}: the initial value is {field.initial!r}; give a finite number."
    if not _finite(field.atol) or field.atol <= 0:
        yield f"{label}: atol is {field.atol!r}; give a positive number in [{field.unit}]."
    if field.extinct_below is not None and not (
        _finite(field.extinct_below) and field.extinct_below > 0
    ):
        yield f"{label}: extinct_below is {field.extinct_below!r}; give a positive number or None."
    if field.signed and field.extinct_below is not None:
        yield f"{label}: a signed state cannot go extinct; leave out signed= or extinct_below=."
    if _finite(field.initial) and field.initial < 0 and not field.signed:
        yield (
            f"{label}: the initial value is {field.initial!r}; say signed=True if negative values "
            "have a meaning."
        )
    if field.provenance is not None:
        yield from _provenance_problem(label, field.provenance)


def _parameter_problems(field: ParameterField) -> Iterable[str]:
    label = _label("parameter", field)
    yield from _unit_problem(label, field.unit)
    yield from _words_problem(label, field.words)
    yield from _provenance_problem(label, field.provenance)
    if field.computed:
        return
    if not _finite(field.value):
        yield f"{label}: the value is {field.value!r}; give a finite number."
        return
    if not field.lower <= field.value <= field.upper:
        yield (
            f"{label}: the value {field.value:g} is outside of its bounds {field.lower:g} to "
            f"{field.upper:g} [{field.unit}]. The lower bound is 0 unless lower= says otherwise."
        )
    if field.plausible is not None:
        yield from _plausible_problem(label, field)


def _plausible_problem(label: str, field: ParameterField) -> Iterable[str]:
    plausible: Any = field.plausible
    if (
        not isinstance(plausible, tuple)
        or len(plausible) != 2
        or not all(map(_finite, plausible))
        or not field.lower <= plausible[0] < plausible[1] <= field.upper
    ):
        yield (
            f"{label}: plausible is {plausible!r}; give (low, high) with low < high, both within "
            f"{field.lower:g} to {field.upper:g} [{field.unit}]."
        )


def _observable_problems(item: Observable) -> Iterable[str]:
    label = f"observable {item.name!r}"
    yield from _unit_problem(label, item.unit)
    yield from _words_problem(label, item.words)


def _route_problems(model: Model, item: Route) -> Iterable[str]:
    label = f"route {item.name!r}"
    yield from _unit_problem(label, item.unit)
    yield from _words_problem(label, item.words)
    if not item.fractions:
        yield f"{label} leads into no state; write {{state name: fraction}}."
    for name, fraction in item.fractions.items():
        if name not in model.state_index:
            yield unknown("state", name, model.state_names, f"{label}: the model")
        if not callable(fraction) and not _finite(fraction):
            yield (
                f"{label}: the fraction for {name!r} is {fraction!r}; give a finite number or a "
                "function of the parameters."
            )


def _variant_problems(model: Model, item: Variant) -> Iterable[str]:
    label = f"variant {item.name!r}"
    yield from _words_problem(label, item.words)
    fields = {field.name: field for field in model.parameters}
    for name, entry in item.values.items():
        field = fields.get(name)
        if field is None:
            yield unknown("parameter", name, fields, f"{label}: the model")
            continue
        if field.computed:
            yield f"{label}: parameter {name!r} is computed by the model and cannot be set."
        given: object = entry
        if not isinstance(given, tuple) or len(given) != 2 or not _finite(entry[0]):
            yield f"{label}: {name!r} is {entry!r}; write (value in [{field.unit}], source)."
            continue
        yield from _provenance_problem(f"{label}: {name!r}", entry[1])
        if not field.lower <= entry[0] <= field.upper:
            yield (
                f"{label}: {name!r} = {entry[0]:g} is outside of its bounds {field.lower:g} to "
                f"{field.upper:g} [{field.unit}]."
            )


def _initial_problems(model: Model) -> Iterable[str]:
    if model.initial is not None and model.initialise is not None:
        yield "give initial= or initialise=, not both; initialise sets the states as well."
    names = [field.name for field in model.parameters if field.computed]
    if names and model.initialise is None:
        yield (
            f"parameters {', '.join(map(repr, names))} are computed, but Model(initialise=...) is "
            "not given."
        )


def _label(kind: str, field: StateField | ParameterField) -> str:
    file, _, line = field.line.rpartition(":")
    return f"{kind} {field.name!r} ({relative(file)}:{line})"


def _unit_problem(label: str, unit: str) -> list[str]:
    try:
        parse_unit(unit)
    except ModelError as error:
        return [f"{label}: {error}"]
    return []


def _words_problem(label: str, words: object) -> Iterable[str]:
    if not isinstance(words, str) or not words.strip():
        yield f"{label}: the description is {words!r}; say in words what it is."


def _provenance_problem(label: str, provenance: object) -> Iterable[str]:
    if not isinstance(provenance, (Cited, Derived, Assumed)):
        yield (
            f"{label}: the source is {provenance!r}. Write Cited('10.1234/doi').at('Table 2') if "
            "that document holds the number, Derived('how it follows') or Assumed('why')."
        )


def _finite(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def trial_run(model: Model) -> None:
    """Run the equations on symbols and note what they do, then check that they run on numbers.

    Sets ``model.equations``, ``model.recorded_start`` and the fractions of ``model.routes``.
    Raises a ModelError with file and line.
    """
    t = symbol("t")
    states = [symbol(f"y.{name}") for name in model.state_names]
    parameters = [symbol(f"p.{name}") for name in model.parameter_names]
    y, p = model.state_record(states), model.parameter_record(parameters)
    derivative = _call(model, "rhs", model.rhs, t, y, p)
    _expect_states(model, model.rhs, derivative)
    results = model.flatten(derivative)
    if model.initial is not None:
        _expect_states(model, model.initial, _call(model, "initial", model.initial, p))
    for item in model.observables:
        label = f"observable {item.name!r}"
        results.append(_call(model, label, item.function, t, y, p))
        _expect_number(model, label, item.function, results[-1])
    model.equations = Recording((t, *states, *parameters), results)
    model.routes = MappingProxyType(
        {name: _recorded(model, way, parameters, p) for name, way in model.routes.items()}
    )
    _run_on_numbers(model)
    model.recorded_start = _recorded_start(model, parameters, p)


def _recorded(model: Model, way: Route, symbols: Sequence[Probe], p: Parameters) -> Route:
    fractions: dict[str, Fraction] = {}
    for state, fraction in way.fractions.items():
        fractions[state] = fraction
        if callable(fraction):
            label = f"route {way.name!r}, fraction for {state!r}"
            result = _call(model, label, fraction, p)
            _expect_number(model, label, fraction, result)
            fractions[state] = RecordedFraction(fraction, Recording(symbols, [result]))
    return replace(way, fractions=MappingProxyType(fractions))


def _recorded_start(model: Model, symbols: Sequence[Probe], p: Parameters) -> Recording | None:
    """What `initial` or `initialise` do, unless they look at values or need arrays."""
    function: Callable[[Any], Any] | None = model.initialise or model.initial
    if function is None:
        return None
    try:
        found = function(p)
        records = found if model.initialise is not None else (found,)
        recording = Recording(symbols, [leaf for record in records for leaf in record._leaves()])
        table = _patients(model)
        expected = model.initial_state(table)
        model.recorded_start = recording
        replayed = model.initial_state(table)
    except Exception:  # any code may meet a symbol in any way
        return None
    finally:
        model.recorded_start = None
    kept = recording.digests[len(model.states) :]
    for field, before, after in zip(model.parameters, symbols, kept, strict=False):
        if not field.computed and before.digest.hex() != after:
            return None
    same = all(
        np.array_equal(one, other, equal_nan=True)
        for one, other in zip(expected, replayed, strict=True)
    )
    return recording if same else None


def _patients(model: Model) -> NDArray[np.float64]:
    """Parameters of a few patients: the defaults, all half of them, all more."""
    table = model.parameter_values(n=3)
    for row, factor in zip(table[1:], (0.5, 1.25), strict=True):
        for number, field in enumerate(model.parameters):
            if not field.computed:
                row[number] = min(max(factor * field.value, field.lower), field.upper)
    return table


def _run_on_numbers(model: Model) -> None:
    table = model.parameter_values()
    function = model.initialise or model.initial
    label = "initial values"
    start, filled = _call(model, label, model.initial_state, table)
    for names, row in ((model.parameter_names, filled[0]), (model.state_names, start[0])):
        for name, value in zip(names, row, strict=True):
            if not math.isfinite(value):
                where = place(function) if function else relative(model.file)
                raise ModelError(
                    f"{where}: model {model.name!r}: {name!r} starts as {value:g} with the default "
                    "parameters."
                )
    y, p = start[0].tolist(), filled[0].tolist()
    derivatives = _call(model, "rhs", model.derivatives, 0.0, y, p)
    for name, value in zip(model.state_names, derivatives, strict=True):
        if not math.isfinite(value):
            raise ModelError(
                f"{place(model.rhs)}: model {model.name!r}: the derivative of {name!r} is "
                f"{float(value):g} at the initial state. Look for a division by zero or a "
                "logarithm of zero."
            )
    _call(model, "observables", model.observe, 0.0, y, p)


def _call(model: Model, label: str, function: Callable[..., Any], *args: Any) -> Any:
    try:
        return function(*args)
    except Exception as error:
        where = blame(error) or relative(model.file)
        raise ModelError(f"{where}: model {model.name!r}, {label}: {explain(error)}") from error


def _expect_states(model: Model, function: Callable[..., Any], result: object) -> None:
    if type(result) is not model.state_class:
        given = "None" if result is None else f"a {type(result).__name__}"
        raise ModelError(
            f"{place(function)}: model {model.name!r}: {function.__name__} returned {given}; "
            f"return {model.state_class.__name__}(...) with one value per state."
        )


def _expect_number(model: Model, label: str, function: Callable[..., Any], result: object) -> None:
    if isinstance(result, (Probe, int, float, np.number)) and not isinstance(result, bool):
        return
    given = "None" if result is None else f"a {type(result).__name__}"
    if isinstance(result, Record):
        given = f"the record {type(result).__name__}"
    raise ModelError(
        f"{place(function)}: model {model.name!r}, {label}: returned {given}, not a number."
    )
