"""Expressions evaluated on numbers, without compiling them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carsim import math
from carsim.symbolic.expression import Expression

__all__ = ["evaluate"]

_OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "subtract": np.subtract,
    "negate": np.negative,
    "multiply": np.multiply,
    "reciprocal": np.reciprocal,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "less": np.less,
    "at_most": np.less_equal,
    "both": np.logical_and,
    "either": np.logical_or,
    "where": np.where,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "power": math.power,
    "pow": math.pow_,
    "hill": math.hill,
}


def evaluate(
    nodes: Sequence[Expression], values: Mapping[int, Any]
) -> list[float | NDArray[np.float64]]:
    """Values of expressions.

    Parameters
    ----------
    nodes : sequence of Expression
        Of one graph.
    values : mapping of int to float or array
        Values of the symbols by index of the node; any other node may be given, too, and is then
        not computed (a condition may be forced to hold).

    Returns
    -------
    list of float or array
    """
    if not nodes:
        return []
    graph = nodes[0].graph
    needed: set[int] = set()
    stack = [node.index for node in nodes]
    while stack:
        index = stack.pop()
        if index in needed or index in values:
            continue
        needed.add(index)
        stack.extend(argument.index for argument in graph.nodes[index].arguments)
    known: dict[int, Any] = dict(values)
    with np.errstate(all="ignore"):
        # Operands are older than what is made of them.
        for index in sorted(needed):
            node = graph.nodes[index]
            if node.operation == "constant":
                known[index] = np.float64(node.payload)
                continue
            operands = [known[argument.index] for argument in node.arguments]
            known[index] = _OPERATIONS[node.operation](*operands)
    return [known[node.index] for node in nodes]
