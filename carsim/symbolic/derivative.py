"""Exact derivatives of expressions, one rule an operation."""

from __future__ import annotations

from collections.abc import Mapping

from carsim.symbolic.expression import CONDITIONS, Expression, Graph

KNOWN_TO = 0.25
"""Share of the absolute tolerance to which the argument of a root is told from zero. A slope that
is taken there is off by less than the tolerance, whether the state leaves zero or returns to it."""


class Floors:
    """Slopes of roots that stay finite where what is under them vanishes.

    The slope of ``sqrt(x)`` is infinite at 0, and near it larger than any step can use: a linear
    model with that slope holds over a stretch of the size of x only, keeps x from leaving, and
    finds its own error small. A state is known to its absolute tolerance, so what is made of it is
    known to the sum of the tolerances times the slopes; below that the slope of a root is taken at
    that distance from zero. This is for Jacobians, which steer steps; equations stay as they are.

    Parameters
    ----------
    graph : Graph
    tolerances : mapping of int to float
        Absolute tolerance of each state, by the index of its symbol.
    """

    def __init__(self, graph: Graph, tolerances: Mapping[int, float]) -> None:
        self.tolerances = tolerances
        self.found: dict[tuple[int, int], Expression] = {}
        self._known: dict[int, Expression] = {}
        self._graph = graph

    def raised(self, node: Expression) -> Expression:
        """`node`, but no smaller than it is known to."""
        known = self.known_to(node)
        return node if known is self._graph.zero else self._graph.maximum(node, known)

    def known_to(self, node: Expression) -> Expression:
        """How far `node` is from what it would be without the tolerances; zero without states."""
        graph = self._graph
        while node.operation == "maximum" and node.arguments[1].constant is not None:
            node = node.arguments[0]
        if node.index not in self._known:
            known = graph.zero
            for index in sorted(graph.depends_on(node) & self.tolerances.keys()):
                slope = derivative(node, graph.nodes[index], self)
                known = known + self.tolerances[index] * KNOWN_TO * abs(slope)
            self._known[node.index] = known
        return self._known[node.index]


def derivative(node: Expression, symbol: Expression, floors: Floors | None = None) -> Expression:
    """The exact partial derivative of `node` with respect to `symbol`.

    Kinks (``where``, ``minimum``, ``maximum``) have the derivative of the branch taken.

    Parameters
    ----------
    node, symbol : Expression
    floors : Floors, optional
        Keep slopes of roots finite.
    """
    graph = node.graph
    if symbol.index not in graph.depends_on(node):
        return graph.zero
    found = graph.derivatives if floors is None else floors.found
    # Operands come before the node; an explicit stack keeps deep sums from recursing.
    stack = [node]
    while stack:
        top = stack[-1]
        if (top.index, symbol.index) in found:
            stack.pop()
            continue
        pending = [
            a
            for a in top.arguments
            if a.operation not in CONDITIONS
            and symbol.index in graph.depends_on(a)
            and (a.index, symbol.index) not in found
        ]
        if pending:
            stack.extend(pending)
            continue
        stack.pop()
        found[top.index, symbol.index] = _rule(top, symbol, found, floors)
    return found[node.index, symbol.index]


def _rule(
    node: Expression,
    symbol: Expression,
    found: Mapping[tuple[int, int], Expression],
    floors: Floors | None,
) -> Expression:
    """Differentiate one operation whose operands are differentiated already."""
    graph = node.graph
    under = moves = node.arguments[0] if node.arguments else node
    if floors is not None and _is_steep(node):
        # The slope is that of the root at what it is raised to, the movement that of what is there.
        node = graph.function(node.operation, (floors.raised(under), *node.arguments[1:]))
        under = node.arguments[0]

    def d(argument: Expression) -> Expression:
        moved = moves if argument is under else argument
        return found.get((moved.index, symbol.index), graph.zero)

    def log(argument: Expression) -> Expression:
        return graph.function("log", (argument,))

    match node.operation, node.arguments:
        case "symbol", ():
            return graph.one
        case "add", (a, b):
            return d(a) + d(b)
        case "subtract", (a, b):
            return d(a) - d(b)
        case "negate", (a,):
            return -d(a)
        case "multiply", (a, b):
            return 2.0 * (a * d(a)) if a is b else d(a) * b + a * d(b)
        case "reciprocal", (a,):
            return -(node * node * d(a))
        case "exp", (a,):
            return node * d(a)
        case "log", (a,):
            return d(a) / a
        case "sqrt", (a,):
            return 0.5 * d(a) / node
        case "tanh", (a,):
            return (1.0 - node * node) * d(a)
        case "where", (condition, a, b):
            return graph.where(condition, d(a), d(b))
        case "minimum", (a, b):
            return graph.where(graph.compare(b, a), d(b), d(a))
        case "maximum", (a, b):
            return graph.where(graph.compare(a, b), d(b), d(a))
        case "power", (x, n):
            # n x^(n-1) written with x^n, which is at hand; x is at least TINY.
            return n * node / x * d(x) + node * log(x) * d(n)
        case "hill", (x, k, n):
            # With H = x^n / (k^n + x^n): dH/dx = n H (1 - H) / x, finite however small x is.
            spread = node * (1.0 - node)
            by_x = n * spread / x
            by_k = n * spread / k
            return by_x * d(x) - by_k * d(k) + spread * (log(x) - log(k)) * d(n)
    raise AssertionError(f"no derivative rule for {node.operation}")


def _is_steep(node: Expression) -> bool:
    """Whether the slope may be infinite where the first operand vanishes."""
    if node.operation not in ("sqrt", "power", "hill"):
        return False
    exponent = 0.5 if node.operation == "sqrt" else node.arguments[-1].constant
    return exponent is None or exponent < 1.0
