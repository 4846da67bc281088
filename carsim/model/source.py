"""Which files define a model."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from carsim.model.records import RecordType

if TYPE_CHECKING:
    from carsim.model.model import Model

__all__ = ["defining_modules"]


def defining_modules(model: Model) -> list[ModuleType]:
    """Modules with equations or declarations of a model, sorted by name.

    These are the modules of its functions and records, and whatever these use from the same
    package (a published model next door is not among them unless it is imported).
    """
    waiting = {module for part in _parts(model) if (module := _module_of(part)) is not None}
    packages = {module.__name__.partition(".")[0] for module in waiting}
    found: dict[str, ModuleType] = {}
    while waiting:
        module = waiting.pop()
        if module.__name__ in found:
            continue
        found[module.__name__] = module
        for value in list(vars(module).values()):
            used = value if isinstance(value, ModuleType) else _module_of(value)
            if used is not None and used.__name__.partition(".")[0] in packages:
                waiting.add(used)
    return [found[name] for name in sorted(found)]


def _parts(model: Model) -> Iterator[Any]:
    yield from (model.rhs, model.initial, model.initialise)
    yield from _records(model.state_class)
    yield from _records(model.parameter_class)
    yield from (observable.function for observable in model.observables)
    for route in model.routes.values():
        yield from route.fractions.values()


def _records(record: RecordType) -> Iterator[RecordType]:
    yield record
    for member in record._members.values():
        if isinstance(member, RecordType):
            yield from _records(member)


def _module_of(value: Any) -> ModuleType | None:
    function = getattr(value, "function", value)
    name = getattr(function, "__module__", None)
    return sys.modules.get(name) if isinstance(name, str) else None
