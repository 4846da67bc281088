"""Expressions in mathematical type.

What is printed is what is computed, made readable: products and quotients become fractions, a pool
inside a power or a Hill function loses the guard that keeps it from being negative, and what the
author of the model gave a name to and used more than once is printed under that name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from carsim.symbolic.expression import CONDITIONS, Expression
from carsim.symbolic.names import remembered, spelled_out, symbol
from carsim.symbolic.trace import Trace, trace

if TYPE_CHECKING:
    from carsim.model import Model

# How tightly a printed expression holds together.
_LOOSE, _SUM, _PRODUCT, _ATOM = range(4)

_LONG = 14
"""Operations from which on a term that has a name is printed under it even if used once."""

Printed = tuple[str, int]


def _number(value: float) -> Printed:
    """A positive number."""
    text = f"{value:.10g}"
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return text, _ATOM
    power = f"10^{{{int(exponent)}}}"
    return (power, _ATOM) if mantissa == "1" else (f"{mantissa} \\cdot {power}", _PRODUCT)


def _parenthesised(printed: Printed, least: int) -> str:
    text, tightness = printed
    return text if tightness >= least else f"\\left({text}\\right)"


@dataclass
class _Product:
    """Factors with their exponents, in the order in which they were met."""

    coefficient: float = 1.0
    factors: dict[int, Expression] = field(default_factory=dict)
    exponents: dict[int, int] = field(default_factory=dict)

    def take(self, node: Expression, exponent: int) -> None:
        self.factors[node.index] = node
        self.exponents[node.index] = self.exponents.get(node.index, 0) + exponent


@dataclass
class Printer:
    """Prints expressions of one model.

    Attributes
    ----------
    trace : Trace
        The model's equations.
    names : dict
        LaTeX of the terms that stand for themselves, by index of the expression.
    known : dict
        LaTeX of the symbols, by index.
    """

    trace: Trace
    names: dict[int, str]
    known: dict[int, Printed] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Model) -> Printer:
        """A printer for the equations of a model."""
        traced = trace(model)
        with remembered(model.rhs) as names:
            # Equal operations are one node, so that what has a name here is found in the trace.
            y = model.state_record(traced.states)
            model.rhs(traced.time, y, model.parameter_record(traced.parameters))
        printer = cls(traced, {})
        taken: set[str] = set()
        names_by_symbol = zip(
            (traced.time, *traced.states, *traced.parameters),
            ("t", *model.state_names, *model.parameter_names),
            strict=True,
        )
        for node, name in names_by_symbol:
            # k1 and k_1 are set alike; the second keeps its spelling.
            text = symbol(name) if symbol(name) not in taken else spelled_out(name)
            taken.add(text)
            printer.known[node.index] = (text, _ATOM)
        printer.names = _worth_a_name(traced, names, taken)
        return printer

    def whole(self, node: Expression) -> str:
        """The right-hand side of an equation."""
        return self._signed_text(*self._signed(node))

    def definitions(self, roots: Iterable[Expression]) -> list[str]:
        """Equations of the named terms that `roots` contain."""
        needed: set[int] = set()
        stack = list(roots)
        while stack:
            node = stack.pop()
            if node.index not in needed:
                needed.add(node.index)
                stack.extend(node.arguments)
        return [
            f"{name} = {self._signed_text(*self._written(self.trace.graph.nodes[index]))}"
            for index, name in sorted(self.names.items())
            if index in needed
        ]

    @staticmethod
    def _signed_text(sign: int, printed: Printed) -> str:
        return printed[0] if sign > 0 else f"-{_parenthesised(printed, _PRODUCT)}"

    # --- an expression is printed as a sign and a text ---

    def _signed(self, node: Expression) -> tuple[int, Printed]:
        if node.index in self.names:
            return 1, (self.names[node.index], _ATOM)
        return self._written(node)

    def _printed(self, node: Expression) -> Printed:
        """With its sign, as loose as a sum if that is negative."""
        sign, printed = self._signed(node)
        return printed if sign > 0 else (self._signed_text(sign, printed), _SUM)

    def _inside(self, node: Expression) -> str:
        """Where brackets of some kind surround it anyway."""
        return self._signed_text(*self._signed(node))

    def _written(self, node: Expression) -> tuple[int, Printed]:
        if node.index in self.known:
            return 1, self.known[node.index]
        match node.operation:
            case "constant":
                value = float(node.payload)  # type: ignore[arg-type]
                return (1 if value >= 0.0 else -1), _number(abs(value))
            case "negate":
                (inner,) = node.arguments
                if inner.operation in ("add", "subtract") and inner.index not in self.names:
                    return 1, self._sum(inner, -1)
                sign, printed = self._signed(inner)
                return -sign, printed
            case "add" | "subtract":
                return 1, self._sum(node, 1)
            case "multiply" | "reciprocal":
                return self._product(node)
        return 1, self._function(node)

    def _sum(self, node: Expression, outer: int) -> Printed:
        terms: list[tuple[int, Printed]] = []
        stack = [(outer, node)]
        while stack:
            sign, top = stack.pop()
            named = top.index in self.names and top is not node
            if top.operation in ("add", "subtract") and not named:
                a, b = top.arguments
                stack.append((sign if top.operation == "add" else -sign, b))
                stack.append((sign, a))
            elif top.operation == "negate" and not named:
                stack.append((-sign, top.arguments[0]))
            else:
                inner, printed = self._signed(top)
                terms.append((sign * inner, printed))
        first = next((i for i, (sign, _) in enumerate(terms) if sign > 0), 0)
        terms.insert(0, terms.pop(first))
        text = ""
        for sign, printed in terms:
            joint = (" + " if sign > 0 else " - ") if text else ("" if sign > 0 else "-")
            text += joint + _parenthesised(printed, _PRODUCT)
        return text, _SUM

    def _collect(self, node: Expression, exponent: int, product: _Product) -> None:
        if node.index in self.known or node.index in self.names:
            product.take(node, exponent)
        elif node.operation == "multiply":
            for argument in node.arguments:
                self._collect(argument, exponent, product)
        elif node.operation == "reciprocal":
            self._collect(node.arguments[0], -exponent, product)
        elif node.operation == "negate":
            product.coefficient = -product.coefficient
            self._collect(node.arguments[0], exponent, product)
        elif node.constant is not None:
            product.coefficient *= node.constant**exponent
        else:
            product.take(node, exponent)

    def _product(self, node: Expression) -> tuple[int, Printed]:
        product = _Product()
        for argument in node.arguments:
            self._collect(argument, -1 if node.operation == "reciprocal" else 1, product)
        above: list[tuple[Expression, int]] = []
        below: list[tuple[Expression, int]] = []
        for index, factor in sorted(product.factors.items(), key=self._rank):
            exponent = product.exponents[index]
            if exponent:
                (above if exponent > 0 else below).append((factor, abs(exponent)))
        size = abs(product.coefficient)
        upper, lower = self._coefficient(size)
        if below or lower:
            text = f"\\frac{{{self._factors(upper, above)}}}{{{self._factors(lower, below)}}}"
        else:
            text = self._factors(upper, above)
        single = not below and not lower and not upper and len(above) == 1 and above[0][1] == 1
        tightness = self._printed(above[0][0])[1] if single else _PRODUCT
        return (1 if product.coefficient >= 0.0 else -1), (text, tightness)

    @staticmethod
    def _coefficient(size: float) -> tuple[list[str], list[str]]:
        """A factor for the numerator, or for the denominator where that is the plainer number."""
        if size == 1.0:
            return [], []
        inverse = f"{1.0 / size:.10g}" if size else ""
        if size and len(f"{size:.10g}") > 7 and len(inverse) <= 6 and "e" not in inverse:
            return [], [inverse]
        return [_number(size)[0]], []

    def _rank(self, item: tuple[int, Expression]) -> tuple[int, int]:
        """Parameters first, then named terms, time and states, then what needs brackets."""
        index, node = item
        if index in self.names:
            return 1, index
        if index not in self.known:
            return 3, index
        return (0 if str(node.payload).startswith("p.") else 2), index

    def _factors(self, numbers: list[str], factors: list[tuple[Expression, int]]) -> str:
        alone = not numbers and len(factors) == 1
        texts = list(numbers)
        for factor, exponent in factors:
            if exponent > 1:
                base = self._printed(self._unguarded(factor))
                texts.append(f"{_parenthesised(base, _ATOM)}^{{{exponent}}}")
            elif alone:
                texts.append(self._inside(factor))
            else:
                texts.append(_parenthesised(self._printed(factor), _PRODUCT))
        return " \\, ".join(texts) or "1"

    def _unguarded(self, node: Expression) -> Expression:
        """A pool or parameter without ``max(x, 0)`` around it, which matters to rounding only."""
        if node.operation == "maximum" and node.index not in self.names:
            x, floor = node.arguments
            if floor.constant == 0.0 and x.index in self.known:
                return x
        return node

    def _function(self, node: Expression) -> Printed:
        name, a = node.operation, node.arguments
        if name in ("exp", "log"):
            called = "\\exp" if name == "exp" else "\\ln"
            return f"{called}\\left({self._inside(a[0])}\\right)", _ATOM
        if name == "sqrt":
            return f"\\sqrt{{{self._inside(self._unguarded(a[0]))}}}", _ATOM
        if name == "tanh":
            return f"\\tanh\\left({self._inside(a[0])}\\right)", _ATOM
        if name in ("minimum", "maximum"):
            both = ", ".join(map(self._inside, a))
            return f"\\{name[:3]}\\left({both}\\right)", _ATOM
        if name in ("power", "pow"):
            base = _parenthesised(self._printed(self._unguarded(a[0])), _ATOM)
            return f"{base}^{{{self._inside(a[1])}}}", _PRODUCT
        if name == "hill":
            steepness = self._inside(a[2])
            x = _parenthesised(self._printed(self._unguarded(a[0])), _ATOM) + f"^{{{steepness}}}"
            k = _parenthesised(self._printed(a[1]), _ATOM) + f"^{{{steepness}}}"
            return f"\\frac{{{x}}}{{{x} + {k}}}", _PRODUCT
        if name == "where":
            return self._choice(node)
        return self._condition(node), _LOOSE

    def _choice(self, node: Expression) -> Printed:
        condition, a, b = node.arguments
        graph = self.trace.graph
        if a is graph.negate(b) and condition is graph.compare(b, graph.zero):
            return f"\\left|{self._inside(b)}\\right|", _ATOM
        rows = (
            f"{self._inside(a)} & \\mathrm{{if}}\\ {self._condition(condition)}",
            f"{self._inside(b)} & \\mathrm{{otherwise}}",
        )
        body = " \\\\ ".join(rows)
        return f"\\begin{{cases}} {body} \\end{{cases}}", _LOOSE

    def _condition(self, node: Expression) -> str:
        relation = self._relation(node)
        if relation:
            return relation
        word = {"both": "and", "either": "or"}[node.operation]
        sides = [
            f"\\left({self._condition(side)}\\right)"
            if side.operation != node.operation and not self._relation(side)
            else self._condition(side)
            for side in node.arguments
        ]
        return f"\\ \\mathrm{{{word}}}\\ ".join(sides)

    def _relation(self, node: Expression) -> str:
        """A single comparison; empty if several are joined."""
        a, b = node.arguments
        signs = {"less": "<", "at_most": "\\leq"}
        sign = signs.get(node.operation, "")
        if not sign:
            # x == y is both at most the other, x != y is either less than the other.
            part, sign = {"both": ("at_most", "="), "either": ("less", "\\neq")}[node.operation]
            mirrored = [x.index for x in a.arguments] == [x.index for x in reversed(b.arguments)]
            if not (a.operation == b.operation == part and mirrored):
                return ""
            a, b = a.arguments
        return f"{self._inside(a)} {sign} {self._inside(b)}"


def _worth_a_name(traced: Trace, names: dict[int, str], taken: set[str]) -> dict[int, str]:
    """The named terms that are used more than once or are long, in LaTeX."""
    nodes = traced.graph.nodes
    uses: dict[int, int] = {}
    size: dict[int, int] = {}
    seen: set[int] = set()
    roots = (*traced.derivatives, *traced.observables)
    stack = list(roots)
    for node in roots:
        uses[node.index] = uses.get(node.index, 0) + 1
    while stack:
        node = stack.pop()
        if node.index not in seen:
            seen.add(node.index)
            for argument in node.arguments:
                uses[argument.index] = uses.get(argument.index, 0) + 1
                stack.append(argument)
    chosen: dict[int, str] = {}
    for node in nodes:
        # Operands come before their operation.
        parts = sum(1 if a.index in chosen else size.get(a.index, 1) for a in node.arguments)
        size[node.index] = 1 + parts if node.arguments else 0
        if node.index not in names or node.index not in seen or node.operation in CONDITIONS:
            continue
        root_only = uses[node.index] == 1 and any(node is f for f in roots)
        trivial = node.operation in ("negate", "reciprocal") and size[node.index] <= 1
        if not root_only and not trivial and (uses[node.index] > 1 or size[node.index] > _LONG):
            text = symbol(names[node.index])
            number = 2
            while text in taken:
                text = symbol(f"{names[node.index]}_{number}")
                number += 1
            taken.add(text)
            chosen[node.index] = text
    return chosen
