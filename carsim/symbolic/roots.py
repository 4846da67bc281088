"""Roots of what is known to the tolerances only.

``sqrt(1 - N / K)`` at ``N = K`` is the root of a rounding error, which may be negative, and a run
on its way to K may end beyond it by less than it was asked to resolve. The root of what is negative
by no more than that is zero; of anything else that is negative it stays NaN.
"""

from __future__ import annotations

import dataclasses

from carsim.symbolic.derivative import Floors
from carsim.symbolic.expression import Expression
from carsim.symbolic.substitute import rewritten
from carsim.symbolic.trace import Trace

__all__ = ["with_safe_roots"]


def with_safe_roots(traced: Trace) -> Trace:
    """The same equations with roots that are zero just below zero.

    Parameters
    ----------
    traced : Trace
        Result of `carsim.symbolic.trace.trace`.

    Returns
    -------
    Trace
        The trace itself where there is no root of states.
    """
    floors = Floors(traced.graph, traced.tolerances)
    known: dict[int, Expression] = {}
    roots = (*traced.derivatives, *traced.observables)
    found = [rewritten(root, known, lambda node: _safe(node, floors)) for root in roots]
    if all(one is other for one, other in zip(found, roots, strict=True)):
        return traced
    n = len(traced.derivatives)
    return dataclasses.replace(traced, derivatives=tuple(found[:n]), observables=tuple(found[n:]))


def _safe(node: Expression, floors: Floors) -> Expression:
    if node.operation != "sqrt":
        return node
    graph = node.graph
    (x,) = node.arguments
    resolved = floors.known_to(x)
    if resolved is graph.zero or (x.operation == "maximum" and x.arguments[1] is graph.zero):
        return node
    near = graph.compare_at_most(-resolved, x)
    return graph.function("sqrt", (graph.where(near, graph.maximum(x, graph.zero), x),))
