"""Read a model's equations as expressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from carsim.errors import ModelError
from carsim.symbolic.derivative import derivative
from carsim.symbolic.expression import CONDITIONS, Expression, Graph

if TYPE_CHECKING:
    from carsim.model import Model


@dataclass(frozen=True)
class Trace:
    """The equations of one model as expressions of its time, states and parameters.

    Attributes
    ----------
    graph : Graph
        Owns all nodes.
    time : Expression
    states, parameters : tuple of Expression
        Symbols in the model's order.
    derivatives : tuple of Expression
        The right-hand side, by state.
    observables : tuple of Expression
        By observable.
    """

    graph: Graph
    time: Expression
    states: tuple[Expression, ...]
    parameters: tuple[Expression, ...]
    derivatives: tuple[Expression, ...]
    observables: tuple[Expression, ...]

    @cached_property
    def jacobian(self) -> dict[tuple[int, int], Expression]:
        """Derivative of row i's equation with respect to state j, where it is not zero."""
        column = {symbol.index: j for j, symbol in enumerate(self.states)}
        found: dict[tuple[int, int], Expression] = {}
        for i, equation in enumerate(self.derivatives):
            for index in sorted(self.graph.depends_on(equation)):
                j = column.get(index)
                if j is None:
                    continue
                entry = derivative(equation, self.states[j])
                if entry.constant != 0.0:
                    found[i, j] = entry
        return found

    @cached_property
    def time_derivatives(self) -> dict[int, Expression]:
        """Partial derivative of row i's equation with respect to time, where it is not zero."""
        found = {}
        for i, equation in enumerate(self.derivatives):
            entry = derivative(equation, self.time)
            if entry.constant != 0.0:
                found[i] = entry
        return found

    @property
    def autonomous(self) -> bool:
        """Whether no equation mentions the time."""
        return all(self.time.index not in self.graph.depends_on(f) for f in self.derivatives)


def trace(
    model: Model,
    driven: Sequence[str] = (),
    integrals: Sequence[str] = (),
    graph: Graph | None = None,
    readings: Sequence[tuple[tuple[str, ...], str, str]] = (),
) -> Trace:
    """Call a model's equations with symbols.

    Parameters
    ----------
    model : Model
    driven : sequence of str
        Parameters that become states behind the model's own, with a derivative of zero: what
        drives them is an input.
    integrals : sequence of str
        States or observables whose integrals become states behind those; "" is the integral of 1.
    graph : Graph, optional
        Where the nodes go; a new one by default.
    readings : sequence of (tuple of str, str, str)
        Products that become observables behind the model's own: parameters, and the fraction of a
        route (or "") into a state.

    Raises
    ------
    ModelError
        When an equation, or the fraction of a route that is read, branches on a value or turns one
        into a number.
    """
    graph = Graph() if graph is None else graph
    time = graph.symbol("t")
    states = tuple(graph.symbol(f"y.{name}") for name in model.state_names)
    parameters = tuple(graph.symbol(f"p.{name}") for name in model.parameter_names)
    moving = {name: graph.symbol(f"y.{name}") for name in driven}
    y = model.state_record(states)
    p = model.parameter_record(
        moving.get(name, symbol)
        for name, symbol in zip(model.parameter_names, parameters, strict=True)
    )
    derivatives = tuple(graph.lift(f) for f in model.flatten(model.rhs(time, y, p)))
    observables = tuple(graph.lift(o.function(time, y, p)) for o in model.observables)
    named = {**dict(zip(model.parameter_names, parameters, strict=True)), **moving}
    read = tuple(_read(model, graph, named, p, *reading) for reading in readings)
    outputs = {
        "": graph.one,
        **dict(zip(model.state_names, states, strict=True)),
        **dict(zip(model.observable_names, observables, strict=True)),
    }
    for name, equation in zip(model.state_names, derivatives, strict=True):
        if equation.operation in CONDITIONS:
            raise ModelError(f"{model.name}: d({name})/dt is a condition, not a value.")
    added = tuple(graph.symbol(f"integral.{name}") for name in integrals)
    return Trace(
        graph,
        time,
        (*states, *moving.values(), *added),
        parameters,
        (*derivatives, *(graph.zero for _ in moving), *(outputs[name] for name in integrals)),
        (*observables, *read),
    )


def _read(
    model: Model,
    graph: Graph,
    named: Mapping[str, Expression],
    p: Any,
    names: tuple[str, ...],
    into: str,
    state: str,
) -> Expression:
    """Product of some parameters and the fraction of a route into a state."""
    factors = [named[name] for name in names]
    if into:
        given = model.routes[into].fractions[state]
        try:
            factors.append(graph.lift(given(p) if callable(given) else given))
        except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
            raise ModelError(
                f"model {model.name!r}: route {into!r}: the fraction into {state!r} cannot be read "
                f"while a simulation runs: {error}. Write it with the functions of carsim.math."
            ) from None
    product = factors[0]
    for factor in factors[1:]:
        product = product * factor
    return product
