"""Names in mathematical type, and the names that a model's author gave to intermediate results."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from carsim.symbolic.expression import Expression

_LOWER = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega"
)
_UPPER = "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
GREEK = frozenset(f"{_LOWER} {_UPPER}".split())
"""Greek letters that LaTeX has a command for."""

_LONGEST_FIRST = "|".join(sorted(GREEK, key=len, reverse=True))
# rhoC and tau2 are a Greek letter with an index, as k12 is a letter with one.
_INDEXED = re.compile(rf"({_LONGEST_FIRST}|[A-Za-z])([0-9]+|[A-Z][0-9]*)")


def symbol(name: str) -> str:
    r"""A name in LaTeX.

    Greek letters by name, single letters in italics, words upright; what follows an underscore or
    precedes a dot is an index.

    Parameters
    ----------
    name : str
        Name of a state, parameter or observable, with dots if it is nested.

    Returns
    -------
    str
        LaTeX in math mode.

    Examples
    --------
    >>> symbol("beta"), symbol("k_kill"), symbol("hbv.virus")
    ('\\beta', 'k_{\\mathrm{kill}}', '\\mathrm{virus}_{\\mathrm{hbv}}')
    """
    *containers, own = name.split(".")
    head, *indices = [part for part in own.split("_") if part]
    found = _INDEXED.fullmatch(head)
    if found and (found[1] in GREEK or found[2].isdigit()):
        head, indices = found[1], [found[2], *indices]
    indices += reversed(containers)
    if not indices:
        return _word(head)
    return f"{_word(head)}_{{{', '.join(map(_word, indices))}}}"


def spelled_out(name: str) -> str:
    """A name in upright letters as it stands in the code."""
    escaped = name.replace("_", "\\_")
    return f"\\mathrm{{{escaped}}}"


def _word(text: str) -> str:
    if text in GREEK:
        return f"\\{text}"
    if len(text) == 1 or text.isdigit():
        return text
    spaced = text.replace("_", "\\ ")
    return f"\\mathrm{{{spaced}}}"


@contextmanager
def remembered(rhs: Callable[..., Any]) -> Iterator[dict[int, str]]:
    """Collect what `rhs` calls its intermediate results while it is traced.

    Yields a mapping from the index of an expression to the name of the local variable that held it.
    The outermost function that has a name for it wins; functions of other modules than that of
    `rhs` put the name of their module before it.

    Parameters
    ----------
    rhs : callable
        The right-hand side of a model.
    """
    names: dict[int, str] = {}
    home = rhs.__module__
    inside = False

    def watch(frame: FrameType, event: str, result: Any) -> None:
        nonlocal inside
        code = frame.f_code
        if code is rhs.__code__:
            inside = event == "call"
        module = str(frame.f_globals.get("__name__", ""))
        own = code is rhs.__code__ or inside
        if event != "return" or not own or module.partition(".")[0] == "carsim":
            return
        prefix = "" if module == home else f"{module.rpartition('.')[2].strip('_')}."
        given = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        here: dict[int, str] = {}
        for name, value in frame.f_locals.items():
            if name not in given:
                for index, called in _nodes(name.strip("_"), value):
                    here.setdefault(index, prefix + called)
        if not code.co_name.startswith("<"):
            for index, called in _nodes(code.co_name.strip("_"), result):
                here.setdefault(index, names.get(index, prefix + called))
        names.update(here)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield names
    finally:
        sys.setprofile(before)


def _nodes(name: str, value: Any) -> Iterator[tuple[int, str]]:
    """Expressions that are not symbols, in `value` itself or in the fields of a plain record."""
    if isinstance(value, Expression):
        if value.arguments:
            yield value.index, name
    elif isinstance(value, tuple):
        for field, item in zip(getattr(value, "_fields", ()), value, strict=False):
            if isinstance(item, Expression) and item.arguments:
                yield item.index, f"{name}_{field}"
