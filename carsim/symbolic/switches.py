"""Comparisons of the time with parameters, taken out of the equations and given to the engine.

An equation that switches at a time, ``where(t > p.start, p.rate, 0)``, jumps there. A solver that
only samples its equations steps over a short pulse, or smears its edge. So each such comparison
becomes a number, its mode: 1 while it holds and 0 while it does not. The engine keeps the modes: it
lands on the times at which they change and begins anew behind them, so that between two landings
the equations are smooth, and half-open intervals [start, stop) are its business as those of windows
are. ``minimum`` and ``maximum`` of functions of time are comparisons as well.
"""

from __future__ import annotations

import dataclasses

from carsim.errors import ModelError
from carsim.symbolic.derivative import derivative
from carsim.symbolic.expression import Expression, Graph
from carsim.symbolic.substitute import rewritten
from carsim.symbolic.trace import Switch, Trace

__all__ = ["with_switches"]

HALF = 0.5
"""Between the two values of a mode."""


def with_switches(traced: Trace) -> Trace:
    """The same equations with modes in place of comparisons that depend on time alone.

    Parameters
    ----------
    traced : Trace
        Result of `carsim.symbolic.trace.trace`.

    Returns
    -------
    Trace
        Its `switches` say when each mode is 1; the trace itself where no comparison is of time.

    Raises
    ------
    ModelError
        A comparison that is not linear in time, so that it is not known when it changes.
    """
    roots = (*traced.derivatives, *traced.observables)
    names = [
        *(f"d({str(symbol.payload)[2:]})/dt" for symbol in traced.states),
        *(f"observable {number + 1}" for number in range(len(traced.observables))),
    ]
    reading = _Reading(traced)
    for root, name in zip(roots, names, strict=True):
        reading.read(root, name)
    if not reading.switches:
        return traced
    read = [reading.known[root.index] for root in roots]
    n = len(traced.derivatives)
    return dataclasses.replace(
        traced,
        derivatives=tuple(read[:n]),
        observables=tuple(read[n:]),
        switches=tuple(reading.switches),
    )


class _Reading:
    """Expressions on their way to modes."""

    def __init__(self, traced: Trace) -> None:
        self.graph: Graph = traced.graph
        self.time = traced.time
        self.steady = {symbol.index for symbol in traced.parameters}
        self.known: dict[int, Expression] = {}
        self.switches: list[Switch] = []
        self._modes: dict[tuple[int, bool], Expression] = {}

    def read(self, root: Expression, name: str) -> None:
        """Find what stands for `root` and everything below it."""
        rewritten(root, self.known, lambda node: self._switched(node, name))

    def _switched(self, node: Expression, name: str) -> Expression:
        symbols = self.graph.depends_on(node)
        if self.time.index not in symbols or not symbols <= self.steady | {self.time.index}:
            return node
        graph = self.graph
        match node.operation, node.arguments:
            case ("less" | "at_most") as kind, (a, b):
                return self._mode(a - b, kind == "at_most", name)
            # As the kernels have it: the second where it is beyond the first.
            case "minimum", (a, b):
                return graph.where(self._mode(b - a, False, name), b, a)
            case "maximum", (a, b):
                return graph.where(self._mode(a - b, False, name), b, a)
        return node

    def _mode(self, gap: Expression, inclusive: bool, name: str) -> Expression:
        """The condition that `gap` is below zero, as a comparison of a mode."""
        graph, time = self.graph, self.time
        if time.index not in graph.depends_on(gap):
            return graph.compare_at_most(gap, graph.zero) if inclusive else gap < 0.0
        key = (gap.index, inclusive)
        if key not in self._modes:
            slope = derivative(gap, time)
            if time.index in graph.depends_on(slope):
                raise ModelError(
                    f"{name}: a comparison of the time (of {gap!r} with 0) is not linear in t, so "
                    f"that the times at which it changes are not known and could be stepped over. "
                    f"Compare t itself with parameters, as in where(t > p.start, a, b), or leave "
                    f"the switch to the therapy: a Window on a parameter, or an Infusion."
                )
            mode = graph.symbol(f"switch.{len(self.switches)}")
            offset = rewritten(gap, {time.index: graph.zero})
            self.switches.append(Switch(mode, offset, slope, inclusive))
            self.steady.add(mode.index)
            self._modes[key] = graph.compare(graph.constant(HALF), mode)
        return self._modes[key]
