"""Exact derivatives of expressions, one rule an operation."""

from __future__ import annotations

from carsim.symbolic.expression import CONDITIONS, Expression


def derivative(node: Expression, symbol: Expression) -> Expression:
    """The exact partial derivative of `node` with respect to `symbol`.

    Kinks (``where``, ``minimum``, ``maximum``) have the derivative of the branch taken.
    """
    graph = node.graph
    if symbol.index not in graph.depends_on(node):
        return graph.zero
    # Operands come before the node; an explicit stack keeps deep sums from recursing.
    stack = [node]
    while stack:
        top = stack[-1]
        if (top.index, symbol.index) in graph.derivatives:
            stack.pop()
            continue
        pending = [
            a
            for a in top.arguments
            if a.operation not in CONDITIONS
            and symbol.index in graph.depends_on(a)
            and (a.index, symbol.index) not in graph.derivatives
        ]
        if pending:
            stack.extend(pending)
            continue
        stack.pop()
        graph.derivatives[top.index, symbol.index] = _rule(top, symbol)
    return graph.derivatives[node.index, symbol.index]


def _rule(node: Expression, symbol: Expression) -> Expression:
    """Differentiate one operation whose operands are differentiated already."""
    graph = node.graph

    def d(argument: Expression) -> Expression:
        return graph.derivatives.get((argument.index, symbol.index), graph.zero)

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
