"""What differs between the sweep that a store was begun with and the one that shall go on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from carsim.model import Model
from carsim.model.identity import stored_differences
from carsim.sweep.provenance import provenance
from carsim.sweep.sweep import Sweep

_ABSENT = object()


def differences(stored: Mapping[str, Any], sweep: Sweep) -> list[str]:
    """Say what changed, one line each; empty if the sweep is the stored one.

    Parameters
    ----------
    stored : mapping
        Attributes of the store.
    sweep : Sweep
        What is to be simulated now.
    """
    now = provenance(sweep)
    found = []
    for attribute in ("scenario", "sweep"):
        old_values, new_values = json.loads(stored[attribute]), json.loads(now[attribute])
        if attribute == "scenario":
            # Where a model is found does not matter, what it computes does.
            found += _of_models(old_values.pop("model"), sweep.scenario.model)
            del new_values["model"]
        before, after = dict(_flat(old_values)), dict(_flat(new_values))
        for path in dict.fromkeys((*before, *after)):
            old, new = before.get(path, _ABSENT), after.get(path, _ABSENT)
            # The words of a title do not change a number.
            if old != new and path != "title":
                found.append(f"{path or attribute}: {_shown(old)} -> {_shown(new)}")
    return found


def _of_models(stored: Mapping[str, Any], model: Model) -> list[str]:
    if stored["name"] != model.name:
        return [f"model: {stored['name']} -> {model.name}"]
    return [f"model {model.name!r}: {each}" for each in stored_differences(stored, model)]


def changed_versions(stored: Mapping[str, Any], sweep: Sweep) -> str:
    """Say which packages are other ones than when a store was begun; empty if none.

    Parameters
    ----------
    stored : mapping
        Attributes of the store.
    sweep : Sweep
        What is simulated.
    """
    now = provenance(sweep)
    before = {"carsim": stored["carsim_version"], **json.loads(stored["versions"])}
    after = {"carsim": now["carsim_version"], **json.loads(now["versions"])}
    changed = [
        f"{name} {before.get(name)} -> {version}"
        for name, version in after.items()
        if before.get(name) != version
    ]
    return ", ".join(changed)


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of JSON by dotted path; the wrappers of the encoding are not shown."""
    if isinstance(value, dict):
        for key, item in value.items():
            shown = "" if key == "mapping" else key
            yield from _flat(item, ".".join(part for part in (path, shown) if part))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for number, item in enumerate(value):
            yield from _flat(item, f"{path}.{number}")
    else:
        yield path, value


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "nothing"
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
