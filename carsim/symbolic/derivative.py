"""Exact derivatives of expressions, one rule an operation.

A slope may be infinite: that of a square root is at zero. Such a slope times an inner derivative
of zero is zero, not NaN: the product rule chooses instead of multiplying.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from carsim.symbolic.expression import CONDITIONS, LESS_FAR, Expression, Graph, whole_hill

__all__ = ["Floors", "derivative", "times"]

LARGE = 1e300
"""Stands in for what is beyond all floats."""
KNOWN_TO = 0.25
"""Share of the absolute tolerance to which the argument of a root is told from zero. With slopes
bounded there, a state is off by less than the tolerance, whether it leaves zero or returns."""


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
    tolerances : mapping of int to Expression
        Absolute tolerance of each state, by the index of its symbol.
    """

    def __init__(self, graph: Graph, tolerances: Mapping[int, Expression]) -> None:
        self.tolerances = tolerances
        self.found: dict[tuple[int, int], Expression] = {}
        self._known: dict[int, Expression] = {}
        self._graph = graph

    def known_to(self, node: Expression) -> Expression:
        """How far `node` is from what it would be without the tolerances; zero without states."""
        graph = self._graph
        while node.operation == "maximum" and node.arguments[1].constant is not None:
            node = node.arguments[0]
        if node.index not in self._known:
            known = graph.zero
            for index in sorted(graph.depends_on(node) & self.tolerances.keys()):
                slope = derivative(node, graph.nodes[index], self)
                known = known + KNOWN_TO * self.tolerances[index] * abs(slope)
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


def times(slope: Expression, factor: Expression) -> Expression:
    """A derivative times a factor; zero where the factor is, though the derivative be infinite.

    Parameters
    ----------
    slope : Expression
        A derivative, or a product of derivatives.
    factor : Expression
        What it is multiplied with.
    """
    return _steep_times(slope, factor) if slope.index in slope.graph.steep else slope * factor


def _steep_times(slope: Expression, factor: Expression) -> Expression:
    graph = slope.graph
    if slope.constant == 0.0 or factor.constant is not None:
        product = slope * factor
    elif factor.operation == "where":
        condition, a, b = factor.arguments
        product = graph.where(condition, _steep_times(slope, a), _steep_times(slope, b))
    else:
        product = graph.where(graph.equal(factor, graph.zero), graph.zero, slope * factor)
    return _marked(product)


def _slope_times(slope: Expression, factor: Expression) -> Expression:
    """The slope of a power times a factor: infinite at zero if nothing stands in for zero."""
    return slope * factor if slope.graph.tiny else _steep_times(slope, factor)


def _off_zero(x: Expression) -> Expression:
    return x.graph.maximum(x, x.graph.constant(x.graph.tiny))


def _log_off_zero(x: Expression) -> Expression:
    return x.graph.bounded_log(_off_zero(x))


def _marked(node: Expression) -> Expression:
    """`node`, remembered as one that may be infinite."""
    if node.constant is None:
        node.graph.steep.add(node.index)
    return node


def _rule(
    node: Expression,
    symbol: Expression,
    found: Mapping[tuple[int, int], Expression],
    floors: Floors | None,
) -> Expression:
    """Differentiate one operation whose operands are differentiated already."""
    graph = node.graph

    def d(argument: Expression) -> Expression:
        return found.get((argument.index, symbol.index), graph.zero)

    if floors is not None and _is_steep(node):
        known = floors.known_to(node.arguments[0])
        if known is not graph.zero:
            return _bounded_slope(node, known, d)
    match node.operation, node.arguments:
        case "symbol", ():
            return graph.one
        case "add", (a, b):
            result = d(a) + d(b)
        case "subtract", (a, b):
            result = d(a) - d(b)
        case "negate", (a,):
            result = -d(a)
        case "multiply", (a, b):
            # The same node twice: its derivative once.
            result = 2.0 * times(d(a), a) if a is b else times(d(a), b) + times(d(b), a)
        case "reciprocal", (a,):
            result = -times(d(a), node * node)
        case "exp", (a,):
            result = times(d(a), node)
        case "log", (a,):
            result = times(d(a), graph.reciprocal(a))
        case "sqrt", (a,):
            return _steep_times(0.5 * graph.reciprocal(node), d(a))
        case "tanh", (a,):
            result = times(d(a), 1.0 - node * node)
        case "where", (condition, a, b):
            result = graph.where(condition, d(a), d(b))
        case "minimum", (a, b):
            result = graph.where(graph.compare(b, a), d(b), d(a))
        case "maximum", (a, b):
            result = graph.where(graph.compare(a, b), d(b), d(a))
        case "power", (x, n):
            slope = _slope_times(graph.power(_off_zero(x), n - 1.0), n)
            result = _slope_times(slope, d(x)) + times(d(n), node * _log_off_zero(x))
        case "pow", (x, n):
            # Where x is negative, n cannot be moved: the derivative by n is NaN.
            slope = _steep_times(graph.pow(x, n - 1.0), n)
            log_x = graph.where(x < 0.0, graph.constant(math.nan), _log_off_zero(x))
            result = _steep_times(slope, d(x)) + times(d(n), node * log_x)
        case "hill", (x, k, n):
            result = _hill_rule(node, d(x), d(k), d(n))
        case _:
            raise AssertionError(f"no derivative rule for {node.operation}")
    if any(d(a).index in graph.steep for a in node.arguments):
        _marked(result)
    return result


def _bounded_slope(
    node: Expression, known: Expression, d: Callable[[Expression], Expression]
) -> Expression:
    """Differentiate a root, with the slope at `known` where what is under it is smaller.

    As `known` mostly is a number, that slope is one, too.
    """
    graph = node.graph
    x, *others = node.arguments

    def slope(at: Expression, root: Expression) -> Expression:
        if node.operation == "sqrt":
            return 0.5 * root / at
        n = others[-1]
        if node.operation == "power":
            return n * root / at
        # H (1 - H) = u H^2 with the u = (k/x)^n that H is made of. Where that is beyond all
        # floats, H is zero.
        u = graph.minimum(graph.falling(at, others[0], n), graph.constant(LARGE))
        return n * (u * (root * root)) / at

    below = slope(known, graph.function(node.operation, (known, *others)))
    result = graph.where(graph.compare(x, known), below, slope(x, node)) * d(x)
    if node.operation == "power":
        return result + times(d(others[0]), node * _log_off_zero(x))
    if node.operation == "hill" and not d(others[0]) is d(others[1]) is graph.zero:
        return result + _hill_rule(node, graph.zero, d(others[0]), d(others[1]))
    return result


def _hill_rule(node: Expression, dx: Expression, dk: Expression, dn: Expression) -> Expression:
    """Differentiate a Hill term, given the derivatives of its operands."""
    graph = node.graph
    x, k, n = node.arguments
    whole = whole_hill(n)
    if whole is None:
        return _hill_rule_by_logs(node, dx, dk, dn)
    # With r = x/k and q = 1/(1 + r^n): dH/dr = n r^(n-1) q^2, without a division by x.
    ratio, inverse, lift = graph.ratio(x, k)
    most = graph.saturation(whole)
    r = graph.minimum(ratio, most)
    q = graph.reciprocal(1.0 + graph.whole_power(r, whole))
    by_r = float(whole) * (graph.whole_power(r, whole - 1) * (q * q))
    by_r = graph.where(graph.compare(ratio, most), by_r, graph.zero)
    # The two factors of 1/k one after the other: their product may be infinite.
    by_x = by_r * inverse * lift
    return times(dx, by_x) - times(dk, by_r * r * inverse * lift)


def _hill_rule_by_logs(
    node: Expression, dx: Expression, dk: Expression, dn: Expression
) -> Expression:
    """The same where the exponent is no small whole number."""
    graph = node.graph
    x, k, n = node.arguments

    def exp(argument: Expression) -> Expression:
        return graph.function("exp", (argument,))

    # With z = log((x/k)^n) and u = exp(-|z|), which never overflows: H (1 - H) = u / (1 + u)^2.
    log_x = _log_off_zero(x)
    log_k = graph.bounded_log(k, LESS_FAR)
    ratio = log_x - log_k
    z = n * ratio
    below = z < 0.0
    size = graph.where(below, -z, z)
    w = graph.reciprocal(1.0 + exp(-size))
    w = w * w
    # n H (1 - H) / x: below k the powers of x are joined first, which keeps 1/k at x = 0, n = 1.
    power = graph.where(below, (n - 1.0) * log_x - n * log_k, -(size + log_x))
    result = _slope_times(_slope_times(exp(power) * w, n), dx)
    if dk is not graph.zero:
        result = result - times(dk, n * (exp(-(size + log_k)) * w))
    if dn is not graph.zero:
        result = result + times(dn, exp(-size) * w * ratio)
    return result


def _is_steep(node: Expression) -> bool:
    """Whether the slope may be infinite where the first operand vanishes."""
    if node.operation not in ("sqrt", "power", "hill"):
        return False
    exponent = 0.5 if node.operation == "sqrt" else node.arguments[-1].constant
    return exponent is None or exponent < 1.0
