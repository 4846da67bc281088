"""A model together with the equations of its derivatives with respect to parameters.

With ``s`` the derivative of the states in one direction ``e`` of the parameters,

``s' = (df/dy) s + (df/dp) e``

(forward sensitivities; E. Hairer, S. P. Norsett, G. Wanner, Solving Ordinary Differential Equations
I, section I.14). One direction a patient: the components of ``e`` are parameters themselves, so
that one compiled program serves all directions and the engine runs them side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from carsim.errors import ModelError, ScenarioError
from carsim.symbolic.derivative import derivative, times
from carsim.symbolic.evaluate import evaluate
from carsim.symbolic.expression import Expression, Graph
from carsim.symbolic.trace import Trace, trace

if TYPE_CHECKING:
    from carsim.model import Model

__all__ = ["StartDerivatives", "start_derivatives", "switches", "trace_sensitivities"]

SMALL = 1e-140
"""Stands in for zero under logarithms here: its reciprocal can be squared, as second derivatives
do."""


def trace_sensitivities(
    model: Model, moving: Sequence[str], outputs: Sequence[str], driven: Sequence[str] = ()
) -> Trace:
    """Equations of a model and of one derivative of its states.

    Parameters
    ----------
    model : Model
    moving : sequence of str
        Parameters that the direction may change; each adds a parameter, its component.
    outputs : sequence of str
        States and observables; they and their derivatives are the observables of the result.
    driven : sequence of str
        As in `carsim.symbolic.trace.trace`.

    Returns
    -------
    Trace
        States: those of ``trace(model, driven)``, then the derivative of each of the model's own.
        Parameters: the model's, then the components of the direction. Observables: the outputs,
        then their derivatives.
    """
    base = trace(model, driven, graph=Graph(SMALL))
    graph = base.graph
    own = base.states[: len(model.states)]
    slopes = [graph.symbol(f"s.{name}") for name in model.state_names]
    directions = [graph.symbol(f"e.{name}") for name in moving]
    varied = [base.parameters[model.parameter_index[name]] for name in moving]

    def along(node: Expression) -> Expression:
        total = graph.zero
        for symbol, component in (
            *zip(own, slopes, strict=True),
            *zip(varied, directions, strict=True),
        ):
            if symbol.index in graph.depends_on(node):
                total = total + times(derivative(node, symbol), component)
        return total

    named = {
        **dict(zip(model.state_names, own, strict=True)),
        **dict(zip(model.observable_names, base.observables, strict=True)),
    }
    shown = [named[name] for name in outputs]
    return Trace(
        graph,
        base.time,
        (*base.states, *slopes),
        (*base.parameters, *directions),
        (*base.derivatives, *map(along, base.derivatives[: len(own)])),
        (*shown, *map(along, shown)),
        base.tolerances,
    )


def switches(traced: Trace) -> list[Expression]:
    """Comparisons that decide which branch of a ``where`` the derivatives take.

    Those of ``minimum``, ``maximum`` and the absolute value are not among them: they leave the
    derivatives continuous.

    Parameters
    ----------
    traced : Trace
        Result of `carsim.symbolic.trace.trace`.
    """
    found: dict[int, Expression] = {}
    seen: set[int] = set()
    stack = list(traced.derivatives)
    while stack:
        node = stack.pop()
        if node.index in seen:
            continue
        seen.add(node.index)
        if node.operation in ("less", "at_most"):
            found[node.index] = node
        stack.extend(node.arguments)
    return [found[index] for index in sorted(found)]


@dataclass(frozen=True)
class StartDerivatives:
    """Exact derivatives of what a model computes when a patient starts.

    Attributes
    ----------
    states : float64 array, shape (n_parameters, n_states)
        Derivative of each initial value with respect to each parameter.
    computed : float64 array, shape (n_parameters, n_parameters)
        Derivative of each computed parameter (columns); zero for the others.
    """

    states: NDArray[np.float64]
    computed: NDArray[np.float64]


def start_derivatives(model: Model, p: NDArray[np.float64]) -> StartDerivatives | None:
    """Exact derivatives of initial values, if the functions of the model can be traced.

    Parameters
    ----------
    model : Model
    p : float64 array, shape (n_parameters,)
        Parameters, the computed ones filled.

    Returns
    -------
    StartDerivatives or None
        None where a function needs numbers: it iterates, or uses numpy.
    """
    n = len(model.parameters)
    if model.initial is None and model.initialise is None:
        return StartDerivatives(np.zeros((n, len(model.states))), np.zeros((n, n)))
    graph = Graph(SMALL)
    symbols = [graph.symbol(f"p.{name}") for name in model.parameter_names]
    free = [k for k, field in enumerate(model.parameters) if not field.computed]
    given = [
        float("nan") if field.computed else symbol
        for field, symbol in zip(model.parameters, symbols, strict=True)
    ]
    if model.recorded_start is None:
        return None
    try:
        leaves = [graph.lift(leaf) for leaf in model.recorded_start.replay(given)]
    # The functions were written for arrays: whatever they do with symbols, it need not work.
    except (ArithmeticError, AttributeError, ModelError, ScenarioError, TypeError, ValueError):
        return None
    states, values = leaves[: len(model.states)], leaves[len(model.states) :] or symbols
    numbers = {symbol.index: value for symbol, value in zip(symbols, p, strict=True)}
    found = np.array([evaluate([*states, *values], numbers)], dtype=np.float64)[0]
    unset = np.where([field.computed for field in model.parameters], np.nan, p)
    table, whole = model.initial_state(unset[None])
    # A function that takes symbols for something else would give other numbers.
    if not np.allclose(found, np.concatenate([table[0], whole[0]]), rtol=1e-9, atol=0.0):
        return None
    by_state = np.zeros((n, len(states)))
    by_computed = np.zeros((n, n))
    for k in free:
        by_state[k] = evaluate([derivative(node, symbols[k]) for node in states], numbers)
        for j, field in enumerate(model.parameters):
            if field.computed:
                by_computed[k, j] = evaluate([derivative(values[j], symbols[k])], numbers)[0]
    return StartDerivatives(by_state, by_computed)
