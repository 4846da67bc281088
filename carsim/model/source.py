"""Which files define a model."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from carsim.model.files import text_of
from carsim.model.fingerprint import is_library
from carsim.model.records import RecordType

if TYPE_CHECKING:
    from carsim.model.model import Model

__all__ = ["defining_modules"]


def defining_modules(model: Model) -> list[ModuleType]:
    """Modules with equations or declarations of a model, sorted by name.

    These are the modules of its functions and records, and whatever these import, libraries apart
    (a published model next door is not among them unless it is imported).
    """
    waiting = {module for part in _parts(model) if (module := _module_of(part)) is not None}
    package = model.rhs.__module__.partition(".")[0]
    found: dict[str, ModuleType] = {}
    while waiting:
        module = waiting.pop()
        if module.__name__ in found or is_library(module.__name__, package):
            continue
        found[module.__name__] = module
        waiting.update(_imported(module))
        for value in list(vars(module).values()):
            used = value if isinstance(value, ModuleType) else _module_of(value)
            if used is not None:
                waiting.add(used)
    return [found[name] for name in sorted(found)]


def _imported(module: ModuleType) -> Iterator[ModuleType]:
    """Modules named by import statements: of a table of values only its file tells the origin."""
    text = text_of(module)
    package = getattr(module, "__package__", None) or ""
    for node in ast.walk(ast.parse(text)) if text is not None else ():
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            base = importlib.util.resolve_name(relative, package) if node.level else relative
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        yield from (sys.modules[name] for name in names if name in sys.modules)


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
