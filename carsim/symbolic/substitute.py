"""Expressions with other parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from carsim.symbolic.expression import Expression

__all__ = ["rewritten"]


def rewritten(
    root: Expression,
    known: dict[int, Expression],
    change: Callable[[Expression], Expression] = lambda node: node,
) -> Expression:
    """Rebuild an expression from its symbols on.

    Parameters
    ----------
    root : Expression
    known : dict of int to Expression
        What stands for a node, by its index; is filled in.
    change : callable, optional
        What becomes of a node whose operands have been rewritten already.

    Returns
    -------
    Expression
    """
    for node in _below(root, known):
        operands = tuple(known[a.index] for a in node.arguments)
        same = all(a is b for a, b in zip(operands, node.arguments, strict=True))
        known[node.index] = change(node if same else node.graph.rebuild(node, operands))
    return known[root.index]


def _below(root: Expression, known: dict[int, Expression]) -> Sequence[Expression]:
    """Nodes of `root` that are not known yet, operands first."""
    order: list[Expression] = []
    seen: set[int] = set()
    stack = [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node.index not in seen and node.index not in known:
            seen.add(node.index)
            stack.append((node, True))
            stack.extend((argument, False) for argument in node.arguments)
    return order
