"""Find the checks that installed packages announce, and choose among them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Sequence

from carsim.errors import CarsimError, ConfigError, ModelError, unknown
from carsim.registry import EVIDENCE_GROUP, announced
from carsim.verification.check import KINDS, Check, Kind

__all__ = ["choose_checks", "load_checks"]


def load_checks() -> list[Check]:
    """Checks of all installed packages of evidence, by name.

    A package announces itself with an entry point in the group ``carsim.evidence``; every module
    of it is imported, and every `Check` at the top level of a module is found.
    """
    found: dict[str, Check] = {}
    for package, folders in announced(EVIDENCE_GROUP):
        for module in pkgutil.iter_modules(folders):
            name = f"{package}.{module.name}"
            try:
                loaded = importlib.import_module(name)
            except Exception as error:
                kind = "" if isinstance(error, CarsimError) else f"{type(error).__name__}: "
                raise ModelError(f"evidence {name} does not load: {kind}{error}") from error
            for value in vars(loaded).values():
                if isinstance(value, Check) and found.setdefault(value.name, value) is not value:
                    raise ModelError(
                        f"evidence {name}: there are two checks {value.name!r}. Rename one, or "
                        "its file."
                    )
    return [found[name] for name in sorted(found)]


def choose_checks(
    checks: Iterable[Check],
    names: Sequence[str] = (),
    *,
    quick: bool = False,
    kind: str | None = None,
) -> list[Check]:
    """Choose checks by name, speed and kind; an unknown name is refused.

    Parameters
    ----------
    checks : iterable of Check
        All there are.
    names : sequence of str
        Names of checks, or of files (all checks of the file); none: all checks.
    quick : bool
        Only the quick ones.
    kind : str, optional
        One of `KINDS`, with blanks or hyphens, or its first word: ``"cohort"`` for both kinds of
        cohorts.
    """
    known = list(checks)
    files = {check.name.partition(".")[0] for check in known}
    for name in names:
        if name not in files and name not in {check.name for check in known}:
            candidates = [check.name for check in known] + sorted(files)
            raise ConfigError(
                unknown("check", name, candidates, "carsim") + " See: carsim verify --list"
            )
    chosen = [
        check
        for check in known
        if (not names or check.name in names or check.name.partition(".")[0] in names)
        and (check.quick or not quick)
        and (kind is None or check.kind in _kinds(kind))
    ]
    if not chosen:
        raise ConfigError(
            "no check fits the names, --quick and --kind together. See: carsim verify --list"
        )
    return chosen


def _kinds(given: str) -> list[Kind]:
    words = given.replace("-", " ")
    matching = [kind for kind in KINDS if kind == words or kind.startswith(f"{words} ")]
    if not matching:
        raise ConfigError(unknown("kind", given, KINDS, "carsim verify"))
    return matching
