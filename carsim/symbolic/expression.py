"""Expressions as a graph without repetition.

Equations are traced by calling them with `Expression` objects. Every operation asks the `Graph` for
a node; equal operations on equal operands get the same node, so common subexpressions are shared
from the start and a derivative costs a few nodes instead of a copy of the tree. SymPy could do the
same, but takes seconds where a model of fifty states takes this graph a tenth of one; the tests use
SymPy as the independent judge.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeGuard

from carsim import math as functions
from carsim.errors import ModelError

_Key = tuple[Any, ...]

CONDITIONS = frozenset({"less", "at_most", "both", "either"})
"""Operations that give true or false; they have no derivative."""

TINY = 1e-300
"""Stands in for zero where a slope is taken at a pool that has vanished."""

FAR = 1e300
"""Stands in for the infinite logarithm of zero: unlike it, it can be multiplied by zero."""

LESS_FAR = 1e200
"""The same for a half-saturation: a pool that is zero, too, is below it."""

_LARGEST_WHOLE = 16
"""Exponent up to which a power is written as products."""

_SATURATED = 256.0
"""Binary logarithm of ``(x/k)^n`` from which on a Hill term is exactly 1."""

_SMALL_K, _LIFT = 1e-270, 2.0**200
"""Below the first, the reciprocal of a half-saturation is taken of it times the second."""

_WHOLE_ROUNDER = 6755399441055744.0
"""Adding and subtracting it rounds a number below 2^51 to a whole one."""


class Expression:
    """A node of a `Graph`: an operation and its operands.

    Nodes are made by the arithmetic operators and by `carsim.math`, never directly.
    """

    __slots__ = ("arguments", "graph", "index", "operation", "payload")

    def __init__(
        self,
        graph: Graph,
        index: int,
        operation: str,
        arguments: tuple[Expression, ...],
        payload: float | str | None,
    ) -> None:
        self.graph = graph
        self.index = index
        self.operation = operation
        self.arguments = arguments
        self.payload = payload

    def __carsim_function__(self, name: str, arguments: tuple[Any, ...]) -> Expression:
        """Answer `carsim.math` functions called with this node among the arguments."""
        return self.graph.function(name, arguments)

    def __add__(self, other: object) -> Expression:
        return self.graph.add(self, self.graph.lift(other))

    __radd__ = __add__

    def __sub__(self, other: object) -> Expression:
        return self.graph.subtract(self, self.graph.lift(other))

    def __rsub__(self, other: object) -> Expression:
        return self.graph.subtract(self.graph.lift(other), self)

    def __mul__(self, other: object) -> Expression:
        return self.graph.multiply(self, self.graph.lift(other))

    __rmul__ = __mul__

    def __truediv__(self, other: object) -> Expression:
        return self.graph.divide(self, self.graph.lift(other))

    def __rtruediv__(self, other: object) -> Expression:
        return self.graph.divide(self.graph.lift(other), self)

    def __neg__(self) -> Expression:
        return self.graph.negate(self)

    def __pos__(self) -> Expression:
        return self

    def __abs__(self) -> Expression:
        return self.graph.function("abs", (self,))

    def __pow__(self, exponent: object) -> Expression:
        power = self.graph.lift(exponent)
        value = power.constant
        if value is None or value != int(value):
            raise ModelError(
                "a state or parameter was raised to a power that is not a whole number with **. "
                "Use carsim.math.power(x, n), which is safe at zero and below, carsim.math.pow_(x, "
                "n), which is NaN below zero, or carsim.math.hill(x, k, n)."
            )
        return self.graph.whole_power(self, int(value))

    def __rpow__(self, base: object) -> Expression:
        raise ModelError(
            "a number was raised to the power of a state or parameter with **. "
            "Use carsim.math.exp(n * carsim.math.log(base))."
        )

    def __lt__(self, other: object) -> Expression:
        return self.graph.compare(self, self.graph.lift(other))

    def __gt__(self, other: object) -> Expression:
        return self.graph.compare(self.graph.lift(other), self)

    def __le__(self, other: object) -> Expression:
        return self.graph.compare_at_most(self, self.graph.lift(other))

    def __ge__(self, other: object) -> Expression:
        return self.graph.compare_at_most(self.graph.lift(other), self)

    def __eq__(self, other: object) -> Expression:  # type: ignore[override]
        return (self <= other) & (self >= other)

    def __ne__(self, other: object) -> Expression:  # type: ignore[override]
        return (self < other) | (self > other)

    # Nodes are shared, so that identity is equality; `==` is an operation of the equations.
    __hash__ = object.__hash__

    def __invert__(self) -> Expression:
        return self.graph.opposite(self)

    def __and__(self, other: object) -> Expression:
        return self.graph.both(self, self.graph.lift(other))

    __rand__ = __and__

    def __or__(self, other: object) -> Expression:
        return self.graph.either(self, self.graph.lift(other))

    __ror__ = __or__

    def __bool__(self) -> bool:
        raise ModelError(
            "a Python `if`, `and`, `or`, `min` or `max` was applied to a state or parameter. The "
            "equations are traced once for all values, so both branches must be written: use "
            "carsim.math.where(condition, a, b), minimum(a, b) or maximum(a, b)."
        )

    def __float__(self) -> float:
        value = self.constant
        if value is None:
            raise ModelError(
                "a state or parameter was turned into a number inside the equations (by float(), "
                "math.exp, numpy or similar). Use the functions of carsim.math instead."
            )
        return value

    @property
    def constant(self) -> float | None:
        """The value, if this node is a number."""
        return self.payload if self.operation == "constant" else None  # type: ignore[return-value]

    def __repr__(self) -> str:
        if self.operation in ("constant", "symbol"):
            return str(self.payload)
        return f"{self.operation}({', '.join(map(repr, self.arguments))})"


class Graph:
    """All nodes of one model, each operation on the same operands once.

    What is simplified has the value that was written for all finite operands. Two rules differ from
    IEEE arithmetic where an operand is infinite or NaN: ``0 * x`` is 0 (a term that is switched off
    has no derivative), and so is ``x - x``. ``x / x`` is computed, as it is NaN at 0. A comparison
    with NaN is false, and so are ``!=`` and the comparison negated by ``~``. A quotient is a
    product with the reciprocal, which is infinite for a denominator below 6e-309.
    """

    def __init__(self, tiny: float = TINY) -> None:
        self.tiny = tiny
        """What stands in for zero where a slope is taken."""
        self.nodes: list[Expression] = []
        self._known: dict[_Key, Expression] = {}
        self.derivatives: dict[tuple[int, int], Expression] = {}
        """What `carsim.symbolic.derivative` has found, by node and symbol."""
        self.steep: set[int] = set()
        """Derivatives that may be infinite, by index."""
        self._dependencies: list[frozenset[int]] = []
        self.zero = self.constant(0.0)
        self.one = self.constant(1.0)

    def _node(
        self, operation: str, *arguments: Expression, payload: float | str | None = None
    ) -> Expression:
        key = (operation, payload, *(a.index for a in arguments))
        node = self._known.get(key)
        if node is None:
            node = Expression(self, len(self.nodes), operation, arguments, payload)
            self._known[key] = node
            self.nodes.append(node)
            if operation == "symbol":
                self._dependencies.append(frozenset((node.index,)))
            else:
                self._dependencies.append(
                    frozenset().union(*(self._dependencies[a.index] for a in arguments))
                )
        return node

    def constant(self, value: float) -> Expression:
        """A number. Minus zero is zero."""
        return self._node("constant", payload=float(value) + 0.0)

    def symbol(self, name: str) -> Expression:
        """A named unknown."""
        return self._node("symbol", payload=name)

    def lift(self, value: object) -> Expression:
        """A node as it is, a number as a constant."""
        if isinstance(value, Expression):
            return value
        return self.constant(float(value))  # type: ignore[arg-type]

    def depends_on(self, node: Expression) -> frozenset[int]:
        """Indices of the symbols that `node` contains."""
        return self._dependencies[node.index]

    def add(self, a: Expression, b: Expression) -> Expression:
        """``a + b``, simplified."""
        x, y = a.constant, b.constant
        if x is not None and y is not None:
            return self.constant(x + y)
        if x == 0.0:
            return b
        if y == 0.0:
            return a
        if b.operation == "negate":
            return self.subtract(a, b.arguments[0])
        if a.operation == "negate":
            return self.subtract(b, a.arguments[0])
        if a.index > b.index:
            a, b = b, a
        return self._node("add", a, b)

    def subtract(self, a: Expression, b: Expression) -> Expression:
        """``a - b``, simplified."""
        x, y = a.constant, b.constant
        if x is not None and y is not None:
            return self.constant(x - y)
        if y == 0.0:
            return a
        if x == 0.0:
            return self.negate(b)
        if a is b:
            return self.zero
        if b.operation == "negate":
            return self.add(a, b.arguments[0])
        if a.operation == "negate":
            return self.negate(self.add(a.arguments[0], b))
        return self._node("subtract", a, b)

    def negate(self, a: Expression) -> Expression:
        """``-a``, simplified."""
        if a.constant is not None:
            return self.constant(-a.constant)
        if a.operation == "negate":
            return a.arguments[0]
        if a.operation == "subtract":
            return self._node("subtract", a.arguments[1], a.arguments[0])
        return self._node("negate", a)

    def multiply(self, a: Expression, b: Expression) -> Expression:
        """``a * b``, simplified."""
        x, y = a.constant, b.constant
        if x is not None and y is not None:
            return self.constant(x * y)
        if x == 0.0 or y == 0.0:
            return self.zero
        if x == 1.0:
            return b
        if y == 1.0:
            return a
        if x == -1.0:
            return self.negate(b)
        if y == -1.0:
            return self.negate(a)
        if a.operation == "negate":
            return self.negate(self.multiply(a.arguments[0], b))
        if b.operation == "negate":
            return self.negate(self.multiply(a, b.arguments[0]))
        if a.index > b.index:
            a, b = b, a
        return self._node("multiply", a, b)

    def reciprocal(self, a: Expression) -> Expression:
        """One over `a`; a node of its own, so that all quotients by `a` share one division."""
        if a.constant is not None:
            return self.constant(1.0 / a.constant if a.constant else math.inf)
        if a.operation == "reciprocal":
            return a.arguments[0]
        if a.operation == "negate":
            return self.negate(self.reciprocal(a.arguments[0]))
        return self._node("reciprocal", a)

    def divide(self, a: Expression, b: Expression) -> Expression:
        """`a` times the reciprocal of `b`."""
        if b.constant == 0.0:
            raise ModelError("the equations divide by the number 0. Check the denominators.")
        if a.constant is not None and b.constant is not None:
            return self.constant(a.constant / b.constant)
        return self.multiply(a, self.reciprocal(b))

    def whole_power(self, a: Expression, exponent: int) -> Expression:
        """`a` times itself, by repeated squaring."""
        if exponent < 0:
            return self.reciprocal(self.whole_power(a, -exponent))
        if exponent == 0:
            return self.one
        half = self.whole_power(a, exponent // 2)
        square = self.multiply(half, half)
        return self.multiply(square, a) if exponent % 2 else square

    def compare(self, a: Expression, b: Expression) -> Expression:
        """The condition ``a < b``."""
        if a.constant is not None and b.constant is not None:
            return self.constant(float(a.constant < b.constant))
        return self._node("less", a, b)

    def compare_at_most(self, a: Expression, b: Expression) -> Expression:
        """The condition ``a <= b``; a pool that has vanished is exactly zero: equality counts."""
        if a.constant is not None and b.constant is not None:
            return self.constant(float(a.constant <= b.constant))
        return self._node("at_most", a, b)

    def opposite(self, a: Expression) -> Expression:
        """The condition that `a` does not hold."""
        if a.constant is not None:
            return self.zero if a.constant else self.one
        match a.operation, a.arguments:
            case "less", (b, c):
                return self.compare_at_most(c, b)
            case "at_most", (b, c):
                return self.compare(c, b)
            case "both", (b, c):
                return self.either(self.opposite(b), self.opposite(c))
            case "either", (b, c):
                return self.both(self.opposite(b), self.opposite(c))
        raise ModelError("`~` was applied to a value. It negates a comparison such as x > 0.")

    def both(self, a: Expression, b: Expression) -> Expression:
        """The condition that `a` and `b` hold."""
        if a.constant is not None:
            return b if a.constant else self.zero
        if b.constant is not None:
            return a if b.constant else self.zero
        return self._node("both", a, b)

    def either(self, a: Expression, b: Expression) -> Expression:
        """The condition that `a` or `b` holds."""
        if a.constant is not None:
            return self.one if a.constant else b
        if b.constant is not None:
            return self.one if b.constant else a
        return self._node("either", a, b)

    def where(self, condition: Expression, a: Expression, b: Expression) -> Expression:
        """`a` where the condition holds, else `b`."""
        if condition.constant is not None:
            return a if condition.constant else b
        if condition.operation not in CONDITIONS:
            raise ModelError(
                "where(condition, a, b) got a value where it needs a comparison such as x > 0."
            )
        return a if a is b else self._node("where", condition, a, b)

    def minimum(self, a: Expression, b: Expression) -> Expression:
        """The smaller of two values."""
        if a.constant is not None and b.constant is not None:
            return self.constant(min(a.constant, b.constant))
        return a if a is b else self._node("minimum", *self._constant_last(a, b))

    def maximum(self, a: Expression, b: Expression) -> Expression:
        """The larger of two values."""
        if a.constant is not None and b.constant is not None:
            return self.constant(max(a.constant, b.constant))
        a, b = self._constant_last(a, b)
        if a.operation == "maximum" and b.constant is not None:
            floor = a.arguments[1].constant
            if floor is not None and floor >= b.constant:
                return a
        return a if a is b else self._node("maximum", a, b)

    @staticmethod
    def _constant_last(a: Expression, b: Expression) -> tuple[Expression, Expression]:
        return (b, a) if a.constant is not None else (a, b)

    def _unary(self, name: str, a: Expression) -> Expression:
        if a.constant is not None:
            return self.constant(getattr(functions, name)(a.constant))
        return self._node(name, a)

    def power(self, x: Expression, n: Expression) -> Expression:
        """``max(x, 0) ** n``; products where n is a small whole number."""
        exponent = n.constant
        clamped = self.maximum(x, self.zero)
        if _is_whole(exponent, 0):
            return self.whole_power(clamped, int(exponent))
        if exponent == 0.5:
            return self._unary("sqrt", clamped)
        return self._node("power", clamped, n)

    def pow(self, x: Expression, n: Expression) -> Expression:
        """``x ** n`` as IEEE defines it; products where n is a small whole number."""
        exponent = n.constant
        if _is_whole(exponent, -_LARGEST_WHOLE):
            return self.whole_power(x, int(exponent))
        if exponent == 0.5:
            return self._unary("sqrt", x)
        return self._node("pow", x, n)

    def hill(self, x: Expression, k: Expression, n: Expression) -> Expression:
        """``x^n / (k^n + x^n)``; as written where n is 1."""
        if n.constant == 1.0:
            return self.divide(x, self.add(k, x))
        return self._node("hill", self.maximum(x, self.zero), k, n)

    # --- powers and Hill terms in operations that a kernel has ---

    def bounded_log(self, x: Expression, least: float = FAR) -> Expression:
        """Logarithm of ``max(x, 0)``; that of zero is minus `least`."""
        clamped = self.maximum(x, self.zero)
        return self.maximum(self._unary("log", clamped), self.constant(-least))

    def power_by_logs(self, x: Expression, n: Expression) -> Expression:
        """``max(x, 0) ** n``."""
        return self._unary("exp", self.multiply(n, self.bounded_log(x)))

    def pow_by_logs(self, x: Expression, n: Expression) -> Expression:
        """``x ** n`` by the size of x and the sign that a whole n gives it."""
        size = self.where(self.compare(x, self.zero), self.negate(x), x)
        logs = self.minimum(self.bounded_log(size), self.constant(FAR))
        value = self._unary("exp", self.multiply(n, logs))
        # Beyond this all floats are even whole numbers, or as good as that.
        most = self.constant(2.0**50)
        m = self.maximum(self.minimum(n, most), self.negate(most))
        half = self.multiply(m, self.constant(0.5))
        whole, even = self._rounded(m), self._rounded(half)
        sign = self.where(
            self.equal(m, whole),
            self.where(self.equal(half, even), self.one, self.constant(-1.0)),
            self.constant(math.nan),
        )
        value = self.where(self.compare(x, self.zero), self.multiply(sign, value), value)
        return self.where(self.equal(n, self.zero), self.one, value)

    def _rounded(self, x: Expression) -> Expression:
        if x.constant is not None:
            return self.constant(float(round(x.constant)))
        rounder = self.constant(_WHOLE_ROUNDER)
        return self._node("subtract", self._node("add", x, rounder), rounder)

    def equal(self, a: Expression, b: Expression) -> Expression:
        """The condition ``a == b``."""
        return self.both(self.compare_at_most(a, b), self.compare_at_most(b, a))

    def log_ratio(self, x: Expression, k: Expression) -> Expression:
        """Logarithm of ``x / k``, finite at zero; x = 0 is below every k, also below k = 0."""
        return self.subtract(self.bounded_log(x), self.bounded_log(k, LESS_FAR))

    def ratio(self, x: Expression, k: Expression) -> tuple[Expression, Expression, Expression]:
        """``x / k`` as a product, and the two factors whose product is ``1 / k``.

        The reciprocal of a parameter is computed once a patient. That of a k below the normal
        floats would be infinite; k = 0 is taken for so small a number that every x is above it.
        """
        small = self.compare(k, self.constant(_SMALL_K))
        lift = self.where(small, self.constant(_LIFT), self.one)
        lifted = self.maximum(self.multiply(k, self.constant(_LIFT)), self.constant(1e-280))
        inverse = self.reciprocal(self.where(small, lifted, k))
        return self.multiply(self.multiply(x, lift), inverse), inverse, lift

    def hill_by_ratio(self, x: Expression, k: Expression, n: int) -> Expression:
        """A Hill term with a whole exponent, by powers of ``x / k``."""
        ratio, _, _ = self.ratio(x, k)
        top = self.whole_power(self.minimum(ratio, self.saturation(n)), n)
        return self.multiply(top, self.reciprocal(self.add(self.one, top)))

    def saturation(self, n: int) -> Expression:
        """``x / k`` from which on a Hill term is exactly 1; the cube of ``(x/k)^n`` is finite."""
        return self.constant(2.0 ** (_SATURATED / n))

    def hill_by_logs(self, x: Expression, k: Expression, n: Expression) -> Expression:
        """A Hill term with any exponent."""
        return self.reciprocal(self.add(self.one, self.falling(x, k, n)))

    def falling(self, x: Expression, k: Expression, n: Expression) -> Expression:
        """``(k / x) ** n``, of which a Hill term is made."""
        return self._unary("exp", self.negate(self.multiply(n, self.log_ratio(x, k))))

    def function(self, name: str, arguments: tuple[Any, ...]) -> Expression:
        """Apply a function of `carsim.math` by name."""
        lifted = [self.lift(a) for a in arguments]
        make: dict[str, Callable[..., Expression]] = {
            "where": self.where,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "power": self.power,
            "pow": self.pow,
            "hill": self.hill,
        }
        if name in make:
            return make[name](*lifted)
        if name == "abs":
            (a,) = lifted
            return self.where(self.compare(a, self.zero), self.negate(a), a)
        if name in ("exp", "log", "sqrt", "tanh"):
            return self._unary(name, lifted[0])
        raise ModelError(f"carsim.math.{name} cannot be traced.")

    def rebuild(self, node: Expression, arguments: tuple[Expression, ...]) -> Expression:
        """The operation of `node` on other operands."""
        make: dict[str, Callable[..., Expression]] = {
            "add": self.add,
            "subtract": self.subtract,
            "negate": self.negate,
            "multiply": self.multiply,
            "reciprocal": self.reciprocal,
            "less": self.compare,
            "at_most": self.compare_at_most,
            "both": self.both,
            "either": self.either,
        }
        if node.operation in make:
            return make[node.operation](*arguments)
        return self.function(node.operation, arguments)


def _is_whole(exponent: float | None, least: int) -> TypeGuard[float]:
    """Whether a power with this exponent is written as products."""
    if exponent is None or not math.isfinite(exponent):
        return False
    return exponent == int(exponent) and least <= exponent <= _LARGEST_WHOLE


def whole_hill(n: Expression) -> int | None:
    """The exponent of a Hill term that is written as products."""
    return int(n.constant) if _is_whole(n.constant, 1) else None
