"""Read a model's equations as expressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from carsim.errors import ModelError
from carsim.symbolic.derivative import Floors, derivative
from carsim.symbolic.expression import CONDITIONS, TINY, Expression, Graph

if TYPE_CHECKING:
    from carsim.model import Model


TOLERANCE = "tolerance"


@dataclass(frozen=True)
class Switch:
    """When a comparison of the time with functions of parameters holds.

    Attributes
    ----------
    mode : Expression
        Symbol that is 1 while ``offset + slope t`` is below zero, 0 otherwise.
    offset, slope : Expression
        Of parameters, and of modes of switches before this one.
    inclusive : bool
        Whether it holds at zero, too.
    """

    mode: Expression
    offset: Expression
    slope: Expression
    inclusive: bool


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
    tolerances : mapping of int to Expression
        Absolute tolerance of each state of the model, by the index of its symbol: its own times
        `tolerance`.
    switches : tuple of Switch
        Comparisons of the time that are numbers here, see `carsim.symbolic.switches`.
    """

    graph: Graph
    time: Expression
    states: tuple[Expression, ...]
    parameters: tuple[Expression, ...]
    derivatives: tuple[Expression, ...]
    observables: tuple[Expression, ...]
    tolerances: Mapping[int, Expression] = field(default_factory=dict)
    switches: tuple[Switch, ...] = ()

    @property
    def tolerance(self) -> Expression:
        """Factor on all absolute tolerances, a number of the solver."""
        return self.graph.symbol(TOLERANCE)

    @cached_property
    def jacobian(self) -> dict[tuple[int, int], Expression]:
        """Derivative of row i's equation with respect to state j, where it is not zero.

        It steers steps: roots of what vanishes have finite slopes, see `Floors`.
        """
        column = {symbol.index: j for j, symbol in enumerate(self.states)}
        floors = Floors(self.graph, self.tolerances)
        found: dict[tuple[int, int], Expression] = {}
        for i, equation in enumerate(self.derivatives):
            for index in sorted(self.graph.depends_on(equation)):
                j = column.get(index)
                if j is None:
                    continue
                entry = derivative(equation, self.states[j], floors)
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

    @cached_property
    def leaves(self) -> tuple[tuple[Expression, ...], ...]:
        """What changes its sign where an observable has a kink or jumps, by observable.

        The differences of the two sides of comparisons, minima and maxima that states decide;
        inner ones first.
        """
        states = {symbol.index for symbol in self.states}
        return tuple(_leaves(observable, states) for observable in self.observables)

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
    """Compute a model's equations, as they were when it was built, with symbols.

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
    given = tuple(
        moving.get(name, symbol)
        for name, symbol in zip(model.parameter_names, parameters, strict=True)
    )
    results = [graph.lift(value) for value in model.equations.replay((time, *states, *given))]
    derivatives = tuple(results[: len(states)])
    observables = tuple(results[len(states) :])
    named = dict(zip(model.parameter_names, given, strict=True))
    record = model.parameter_record(given)
    read = tuple(_read(model, graph, named, record, *reading) for reading in readings)
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
        {
            symbol.index: field.atol * graph.symbol(TOLERANCE)
            for symbol, field in zip(states, model.states, strict=True)
        },
    )


def _leaves(observable: Expression, states: set[int]) -> tuple[Expression, ...]:
    graph = observable.graph
    seen: set[int] = set()
    stack = [observable]
    found: dict[int, Expression] = {}
    while stack:
        node = stack.pop()
        if node.index in seen:
            continue
        seen.add(node.index)
        stack.extend(node.arguments)
        if node.operation not in ("less", "at_most", "minimum", "maximum"):
            continue
        a, b = node.arguments
        # A pool is not negative: that it is held above zero makes no kink.
        guard = a.index in states and b.constant is not None and 0.0 <= b.constant <= TINY
        gap = graph.subtract(a, b)
        if graph.depends_on(gap) & states and not guard:
            found[node.index] = gap
    return tuple({found[index].index: found[index] for index in sorted(found)}.values())


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
