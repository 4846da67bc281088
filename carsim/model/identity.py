"""What a model computes, part by part: its hash, and what differs between two models."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from carsim.model.fingerprint import fingerprint
from carsim.model.recording import RecordedFraction

if TYPE_CHECKING:
    from carsim.model.model import Model

__all__ = ["digest_of", "few", "model_differences", "parts_of", "stored_differences"]

_ABSENT = object()


def parts_of(model: Model) -> dict[str, Any]:
    """All that changes a number, as JSON types; functions as digests of what they compute.

    Words, sources and names of files are left out.

    Parameters
    ----------
    model : Model
        Model whose equations have been recorded.

    Returns
    -------
    dict
        Sections "states", "parameters", "observables", "routes" and "variants" by name in the
        model's order, "time_unit", and "initial" if the model computes the initial state.
    """
    n = len(model.states)
    digests = [digest[:16] for digest in model.equations.digests]
    parts: dict[str, Any] = {
        "time_unit": model.time_unit,
        "states": {
            field.name: _given(
                unit=field.unit,
                initial=_number(field.initial),
                atol=_number(field.atol),
                extinct_below=field.extinct_below,
                signed=field.signed or None,
                equation=digest,
            )
            for field, digest in zip(model.states, digests[:n], strict=True)
        },
        "parameters": {
            field.name: _given(
                unit=field.unit,
                default=None if field.computed else _number(field.value),
                lower=_number(field.lower) if field.lower else None,
                upper=_number(field.upper) if field.upper != math.inf else None,
                plausible=field.plausible and list(map(_number, field.plausible)),
                computed=field.computed or None,
            )
            for field in model.parameters
        },
        "observables": {
            item.name: {"unit": item.unit, "equation": digest}
            for item, digest in zip(model.observables, digests[n:], strict=True)
        },
        "routes": {
            name: {
                "unit": way.unit,
                "fractions": {state: _fraction(each) for state, each in way.fractions.items()},
            }
            for name, way in model.routes.items()
        },
        "variants": {
            name: _given(
                group=item.group,
                values={key: _number(value) for key, (value, _) in item.values.items()},
            )
            for name, item in model.variants.items()
        },
    }
    function = model.initialise or model.initial
    if function is not None:
        start = model.recorded_start
        parts["initial"] = (
            fingerprint(function) if start is None else _joined("".join(start.digests))
        )[:16]
    return parts


def digest_of(parts: Mapping[str, Any]) -> str:
    """SHA-256 of the parts of a model, 64 hexadecimal digits."""
    text = json.dumps(parts, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def model_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Say what differs between the parts of two models, old -> new where that can be said.

    Parameters
    ----------
    before, after : mapping
        As from `parts_of`.

    Returns
    -------
    list of str
        One clause for each difference.
    """
    found = []
    for section, kind in (
        ("states", "state"),
        ("parameters", "parameter"),
        ("observables", "observable"),
        ("routes", "route"),
        ("variants", "variant"),
    ):
        old, new = before.get(section, {}), after.get(section, {})
        for name in dict.fromkeys((*old, *new)):
            if name not in new:
                found.append(f"{kind} {name!r} is gone")
            elif name not in old:
                found.append(f"{kind} {name!r} is new")
            else:
                found += _changes(f"{kind} {name!r}", old[name], new[name])
        if list(old) != list(new) and set(old) == set(new):
            found.append(f"the {section} stand in another order")
    if before.get("time_unit") != after.get("time_unit"):
        found.append(f"time_unit: {before.get('time_unit')} -> {after.get('time_unit')}")
    if before.get("initial") != after.get("initial"):
        found.append("what computes the initial state has changed")
    return found


def stored_differences(stored: Mapping[str, Any], model: Model) -> list[str]:
    """Say what differs between a model that was stored and this one; empty if nothing does.

    Parameters
    ----------
    stored : mapping
        With "hash" and "parts".
    model : Model
        Model that is there now.
    """
    if stored["hash"] == model.hash:
        return []
    found = model_differences(stored["parts"], model.parts) if "parts" in stored else []
    return found or [f"hash {stored['hash'][:12]} -> {model.hash[:12]}"]


def few(clauses: Sequence[str], most: int = 8) -> str:
    """Join clauses, and count those beyond the first ones.

    Parameters
    ----------
    clauses : sequence of str
        What differs.
    most : int
        How many to show.
    """
    more = len(clauses) - most
    return "; ".join(clauses[:most]) + (f"; and {more} more" if more > 0 else "")


def _changes(label: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    before, after = dict(_flat(old)), dict(_flat(new))
    for key in dict.fromkeys((*before, *after)):
        one, other = before.get(key, _ABSENT), after.get(key, _ABSENT)
        if one == other:
            continue
        if key == "equation":
            yield f"the equation of {label} has changed"
        else:
            yield f"{label}: {key} {_shown(one)} -> {_shown(other)}"
    if before == after and list(before) != list(after):
        yield f"{label}: its entries stand in another order"


def _flat(part: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in part.items():
        if isinstance(value, Mapping):
            yield from (
                (f"fraction for {name!r}" if key == "fractions" else name, each)
                for name, each in value.items()
            )
        else:
            yield key, value


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "none"
    if isinstance(value, Mapping):
        return "another function"
    if isinstance(value, list):
        return " to ".join(map(_shown, value))
    return f"{value!r}" if isinstance(value, float) else f"{value}"


def _given(**entries: Any) -> dict[str, Any]:
    return {name: value for name, value in entries.items() if value is not None}


def _number(value: float) -> float | str:
    """A float, whatever kind of number was written; text where JSON has none."""
    return float(value) if math.isfinite(value) else str(float(value))


def _fraction(fraction: Any) -> float | str:
    if isinstance(fraction, RecordedFraction):
        return f"function {fraction.recording.digests[0][:16]}"
    return _number(fraction)


def _joined(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
