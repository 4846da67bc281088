"""What a model offers beside its equations: observables, routes of administration, variants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

from carsim.model.provenance import Provenance

__all__ = ["Fraction", "Observable", "Route", "Variant", "observable", "route", "variant"]

Fraction: TypeAlias = float | Callable[[Any], float]


@dataclass(frozen=True, slots=True)
class Observable:
    """A quantity that a model reports: a function of time, states and parameters.

    Attributes
    ----------
    name : str
        Name in the result.
    unit : str
        Unit of the value.
    words : str
        What it is, for tables and axes.
    function : callable
        ``function(t, y, p) -> float``.
    """

    name: str
    unit: str
    words: str
    function: Callable[..., Any] = field(repr=False)

    def __call__(self, t: Any, y: Any, p: Any) -> float:
        """Evaluate the observable, in `unit`."""
        value: float = self.function(t, y, p)
        return value


def observable(
    unit: str, words: str, *, name: str | None = None
) -> Callable[[Callable[..., float]], Observable]:
    """Decorate a function of time, states and parameters that the model reports.

    Parameters
    ----------
    unit : str
        Unit of the value.
    words : str
        What it is, for tables and axes.
    name : str, optional
        Name in the result; the name of the function unless given.

    Returns
    -------
    callable
        Decorator that makes an `Observable`, which can still be called as the function.

    Examples
    --------
    >>> @observable("1", "decimal logarithm of the viral load")
    ... def log10_virus(t, y, p):
    ...     return log(y.virus / p.one_per_mL) / 2.302585092994046
    >>> log10_virus.name
    'log10_virus'
    """

    def decorate(function: Callable[..., float]) -> Observable:
        return Observable(name or function.__name__, unit, words, function)

    return decorate


@dataclass(frozen=True, slots=True)
class Route:
    """A way into the body: what one unit of dose adds to which states.

    Attributes
    ----------
    name : str
        What a `Dose` or `Infusion` names in ``into``.
    unit : str
        Unit of the amount.
    words : str
        What is given.
    fractions : mapping of str to float or function
        State name to state units per unit of dose: a number, or a function of the parameters.
    """

    name: str
    unit: str
    words: str
    fractions: Mapping[str, Fraction]


def route(name: str, unit: str, words: str, fractions: Mapping[str, Fraction]) -> Route:
    """Declare what a dose or infusion into `name` does.

    Parameters
    ----------
    name : str
        Name of the route.
    unit : str
        Unit of the amount, for example ``"mg"``.
    words : str
        What is given.
    fractions : mapping of str to float or function
        State name to state units per unit of dose: a number if the units agree, otherwise a
        function of the parameters, such as ``lambda p: p.bioavailability / p.volume``.

    Returns
    -------
    Route
        The declaration, to be listed in ``Model(routes=...)``.
    """
    return Route(name, unit, words, MappingProxyType(dict(fractions)))


@dataclass(frozen=True, slots=True)
class Variant:
    """A named set of parameter values: a product, a phase of disease.

    Attributes
    ----------
    name : str
        Name of the set.
    words : str
        What it stands for.
    values : mapping of str to (float, provenance)
        Parameter name to value, in the unit of the parameter, and its source.
    group : str or None
        Variants of one group exclude each other.
    """

    name: str
    words: str
    values: Mapping[str, tuple[float, Provenance]]
    group: str | None = None


def variant(
    name: str,
    words: str,
    values: Mapping[str, tuple[float, Provenance]],
    *,
    group: str | None = None,
) -> Variant:
    """Declare a named set of parameter values.

    Parameters
    ----------
    name : str
        Name of the set, for example ``"19-28z"``.
    words : str
        What it stands for.
    values : mapping of str to (float, provenance)
        Parameter name to value (in the unit of the parameter) and source.
    group : str, optional
        Variants of one group exclude each other, for example ``"product"``.

    Returns
    -------
    Variant
        The declaration, to be listed in ``Model(variants=...)``.
    """
    return Variant(name, words, MappingProxyType(dict(values)), group)
