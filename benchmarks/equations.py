"""Equations of a benchmark problem as a list of operations that any solver's language can print.

carsim writes the list (`benchmarks.export`); the scripts of the peers read it in environments where
carsim is not installed, so this file needs the standard library only. All peers get the same
operations with the same common subexpressions, and the Jacobian that carsim derived.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Operation = tuple[str, Any]
"""Name and operands: indices of earlier operations, a constant's value, or a symbol's name."""

PYTHON: dict[str, str] = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "negate": "-{0}",
    "multiply": "{0} * {1}",
    "reciprocal": "1.0 / {0}",
    "exp": "exp({0})",
    "log": "log({0})",
    "sqrt": "sqrt({0})",
    "tanh": "tanh({0})",
    "power": "{0} ** {1}",
    # One power instead of two.
    "hill": "1.0 / (1.0 + ({1} / {0}) ** {2})",
    "less": "{0} < {1}",
    "both": "({0}) and ({1})",
    "either": "({0}) or ({1})",
    "where": "({1}) if ({0}) else ({2})",
    "minimum": "min({0}, {1})",
    "maximum": "max({0}, {1})",
}
"""How an operation is printed in Python (and, as it stands, in numba)."""


@dataclass(frozen=True)
class Equations:
    """A system of equations as operations in an order in which they can be evaluated.

    Attributes
    ----------
    states, parameters : list of str
    operations : list of (name, operands)
    derivatives : list of int
        Operation that gives the derivative of each state.
    jacobian : list of (row, column, operation)
        Entries that are not identically zero.
    """

    states: list[str]
    parameters: list[str]
    operations: list[Operation]
    derivatives: list[int]
    jacobian: list[tuple[int, int, int]]

    def needed(self, outputs: Iterable[int]) -> list[int]:
        """Operations that `outputs` depend on, in order."""
        pending = list(outputs)
        found: set[int] = set()
        while pending:
            index = pending.pop()
            if index not in found:
                found.add(index)
                name, operands = self.operations[index]
                if name not in ("constant", "symbol"):
                    pending.extend(operands)
        return sorted(found)

    def lines(
        self,
        outputs: Iterable[int],
        *,
        printers: dict[str, str] = PYTHON,
        state: Callable[[int], str] = "y[{}]".format,
        parameter: Callable[[int], str] = "p[{}]".format,
        time: str = "t",
        assign: str = "{} = {}",
    ) -> tuple[list[str], dict[int, str]]:
        """Print assignments, one a line.

        Returns
        -------
        list of str
            The assignments.
        dict
            Name (or number) that stands for each operation.
        """
        symbols = {"t": time}
        symbols |= {f"y.{name}": state(i) for i, name in enumerate(self.states)}
        symbols |= {f"p.{name}": parameter(i) for i, name in enumerate(self.parameters)}
        text: list[str] = []
        names: dict[int, str] = {}
        for index in self.needed(outputs):
            name, operands = self.operations[index]
            if name == "constant":
                names[index] = repr(operands) if operands >= 0.0 else f"({operands!r})"
            elif name == "symbol":
                names[index] = symbols[operands]
            else:
                names[index] = f"v{index}"
                text.append(
                    assign.format(
                        names[index], printers[name].format(*(names[i] for i in operands))
                    )
                )
        return text, names

    def function(self, name: str, *, jacobian: bool = False, **options: Any) -> str:
        """Source of ``name(t, y, p, out)``, which fills the derivatives or the dense Jacobian."""
        entries = (
            [(f"out[{i}, {j}]", k) for i, j, k in self.jacobian]
            if jacobian
            else [(f"out[{i}]", k) for i, k in enumerate(self.derivatives)]
        )
        body, names = self.lines((k for _, k in entries), **options)
        body += [f"{target} = {names[k]}" for target, k in entries]
        if jacobian:
            body.insert(0, "out[:, :] = 0.0")
        return "\n    ".join([f"def {name}(t, y, p, out):", *body]) + "\n"
