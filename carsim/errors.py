"""Every error that carsim raises on purpose, and the words they share.

One tree, so that ``except CarsimError`` catches all of them. A message says, in this order:
where, what was given, what would be right, what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "CarsimError",
    "ConfigError",
    "ModelError",
    "ScenarioError",
    "SolverError",
    "did_you_mean",
    "unknown",
]

_LISTED = 8
_NEAR = 0.6


class CarsimError(Exception):
    """Any error that carsim raises on purpose."""


class ModelError(CarsimError):
    """A model file is wrong: an equation, a unit, a name, a missing source."""


class ScenarioError(CarsimError, ValueError):
    """A simulation was asked for something that the model or the values cannot give."""


class ConfigError(CarsimError, ValueError):
    """A configuration file has an unknown key or a value of the wrong kind."""


class SolverError(CarsimError, RuntimeError):
    """A simulation stopped for numerical reasons and the caller asked for an exception."""


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """End of a sentence that offers the nearest known name.

    Parameters
    ----------
    name : str
        What was given.
    candidates : iterable of str
        What would have been right.

    Returns
    -------
    str
        ``" Did you mean 'beta'?"``, or ``" Known: a, b, c."`` when nothing is near (with a leading
        blank), or an empty string when there are no candidates at all.
    """
    known = list(dict.fromkeys(candidates))
    if not known:
        return ""
    near = _nearest(name, known)
    if near:
        return " Did you mean " + " or ".join(repr(candidate) for candidate in near) + "?"
    shown = ", ".join(known[:_LISTED])
    if len(known) > _LISTED:
        return f" Known: {shown}, ... ({len(known)} in all)."
    return f" Known: {shown}."


def unknown(kind: str, name: str, candidates: Iterable[str], where: str) -> str:
    """One sentence for every unknown name.

    Parameters
    ----------
    kind : str
        What the name should have named, for example ``"parameter"``.
    name : str
        What was given.
    candidates : iterable of str
        The known names.
    where : str
        Who was asked, for example ``"model 'example_2000'"``.

    Returns
    -------
    str
        ``"model 'example_2000' has no parameter 'bata'. Did you mean 'beta'?"``
    """
    return f"{where} has no {kind} {name!r}.{did_you_mean(name, candidates)}"


def _nearest(name: str, known: list[str]) -> list[str]:
    """Best match by spelling, also against the last part of dotted names."""
    by_spelling = {candidate.casefold(): candidate for candidate in reversed(known)}
    close = difflib.get_close_matches(name.casefold(), list(by_spelling), n=1, cutoff=_NEAR)
    if close:
        return [by_spelling[close[0]]]
    # 'beta' where the model has 'hbv.beta': the group in front was forgotten or is another one.
    last = name.casefold().rpartition(".")[2]
    leaves: dict[str, list[str]] = {}
    for candidate in known:
        leaves.setdefault(candidate.casefold().rpartition(".")[2], []).append(candidate)
    close = difflib.get_close_matches(last, list(leaves), n=1, cutoff=_NEAR)
    return leaves[close[0]][:3] if close else []
