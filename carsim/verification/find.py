"""Find the checks that installed packages announce."""

from __future__ import annotations

import importlib
import pkgutil

from carsim.registry import EVIDENCE_GROUP, announced
from carsim.verification.check import Check

__all__ = ["load_checks"]


def load_checks() -> list[Check]:
    """Checks of all installed packages of evidence, by name.

    A package announces itself with an entry point in the group ``carsim.evidence``; every module
    of it is imported, and every `Check` at the top level of a module is found.
    """
    found: dict[str, Check] = {}
    for package, folders in announced(EVIDENCE_GROUP):
        for module in pkgutil.iter_modules(folders):
            loaded = importlib.import_module(f"{package}.{module.name}")
            for value in vars(loaded).values():
                if isinstance(value, Check):
                    found[value.name] = value
    return [found[name] for name in sorted(found)]
