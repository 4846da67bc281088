"""Expressions against SymPy, against 50-digit differences, and against plain Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import mpmath
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import carsim.math
from carsim.errors import ModelError
from carsim.symbolic.derivative import derivative
from carsim.symbolic.expression import TINY, Expression, Graph

Tree = tuple[Any, ...]

PLAIN = SimpleNamespace(exp=math.exp, log=math.log, sqrt=math.sqrt, tanh=math.tanh)
EXACT = SimpleNamespace(exp=mpmath.exp, log=mpmath.log, sqrt=mpmath.sqrt, tanh=mpmath.tanh)

OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": lambda m, a, b: a + b,
    "subtract": lambda m, a, b: a - b,
    "negate": lambda m, a: -a,
    "multiply": lambda m, a, b: a * b,
    "reciprocal": lambda m, a: 1 / a,
    "exp": lambda m, a: m.exp(a),
    "log": lambda m, a: m.log(a),
    "sqrt": lambda m, a: m.sqrt(a),
    "tanh": lambda m, a: m.tanh(a),
    "less": lambda m, a, b: a < b,
    "at_most": lambda m, a, b: a <= b,
    "both": lambda m, a, b: a and b,
    "either": lambda m, a, b: a or b,
    "where": lambda m, c, a, b: a if c else b,
    "minimum": lambda m, a, b: min(a, b),
    "maximum": lambda m, a, b: max(a, b),
    "power": lambda m, x, n: x**n,
    "pow": lambda m, x, n: x**n,
    "hill": lambda m, x, k, n: 1 / (1 + (k / x) ** n) if x else x,
}


def evaluate(node: Expression, values: Mapping[str, Any], functions: Any = PLAIN) -> Any:
    """The value of a node, operation by operation, in floats or in mpmath numbers."""
    known: dict[int, Any] = {}
    stack = [node]
    while stack:
        top = stack[-1]
        pending = [a for a in top.arguments if a.index not in known]
        if pending:
            stack.extend(pending)
            continue
        stack.pop()
        if top.operation == "symbol":
            known[top.index] = values[str(top.payload)]
        elif top.operation == "constant":
            known[top.index] = type(next(iter(values.values())))(top.payload)
        else:
            arguments = (known[a.index] for a in top.arguments)
            known[top.index] = OPERATIONS[top.operation](functions, *arguments)
    return known[node.index]


def symbols(graph: Graph) -> tuple[Expression, Expression, Expression]:
    return graph.symbol("x"), graph.symbol("y"), graph.symbol("z")


# --- every operation, against SymPy ---

Formula = Callable[[Any, Any, Any, Any], Any]

SYMPY = SimpleNamespace(
    exp=sympy.exp,
    log=sympy.log,
    sqrt=sympy.sqrt,
    tanh=sympy.tanh,
    abs_=sympy.Abs,
    minimum=sympy.Min,
    maximum=sympy.Max,
    where=lambda condition, a, b: sympy.Piecewise((a, condition), (b, True)),
    power=lambda x, n: x**n,
    pow_=lambda x, n: x**n,
    hill=lambda x, k, n=1: x**n / (k**n + x**n),
)

FORMULAS: dict[str, Formula] = {
    "add": lambda m, x, y, z: x + y + x,
    "subtract": lambda m, x, y, z: 3 - x - (y - z),
    "negate": lambda m, x, y, z: -(x * y) - (-z),
    "multiply": lambda m, x, y, z: x * y * z * x,
    "square": lambda m, x, y, z: (x + y) * (x + y),
    "divide": lambda m, x, y, z: (x + z) / (y * (1 + x)),
    "reciprocal": lambda m, x, y, z: 1 / (1 / (x + y) + 1 / z),
    "whole powers": lambda m, x, y, z: x**3 + y**-2 + z**7 + x**1 + y**0,
    "exp": lambda m, x, y, z: m.exp(-x * y) * z,
    "log": lambda m, x, y, z: m.log(x + y * z),
    "sqrt": lambda m, x, y, z: m.sqrt(x * x + y) / z,
    "tanh": lambda m, x, y, z: m.tanh(x - y * z),
    "absolute value": lambda m, x, y, z: m.abs_(x - y) + abs(z - x),
    "power with a number": lambda m, x, y, z: m.power(x, 2.5) + m.power(y, 0.5) + m.power(z, 3),
    "negative power": lambda m, x, y, z: m.power(x + y, -1.5) * z,
    "power with a parameter": lambda m, x, y, z: m.power(x * y, z),
    "true power with a number": lambda m, x, y, z: m.pow_(x, 2.5) + m.pow_(y, -3) + m.pow_(z, 0.5),
    "true power with a parameter": lambda m, x, y, z: m.pow_(x * y, z),
    "hill": lambda m, x, y, z: m.hill(x, y) * z,
    "hill with a whole number": lambda m, x, y, z: m.hill(x * z, y, 4),
    "hill with a fraction": lambda m, x, y, z: m.hill(x, y * z, 1.7),
    "hill with a parameter": lambda m, x, y, z: m.hill(x, y, z),
    "minimum": lambda m, x, y, z: m.minimum(x * y, z) + m.minimum(2, x),
    "maximum": lambda m, x, y, z: m.maximum(x * y, z) + m.maximum(0.1, x),
    "where": lambda m, x, y, z: m.where(x < y, x * z, y / z),
    "where with both": lambda m, x, y, z: m.where((x < y) & (z > x), x * x, y),
    "where with either": lambda m, x, y, z: m.where((x >= y) | (z <= x), x * z, y * y),
}

POINTS = ((0.7, 1.3, 2.1), (1.9, 0.4, 0.8), (0.25, 3.0, 1.1))


@pytest.mark.parametrize("name", FORMULAS)
def test_values_and_derivatives_equal_those_of_sympy(name: str) -> None:
    graph = Graph()
    traced = symbols(graph)
    mine = FORMULAS[name](carsim.math, *traced)
    unknowns = sympy.symbols("x y z", positive=True)
    judge = FORMULAS[name](SYMPY, *unknowns)
    for values in POINTS:
        named = dict(zip("xyz", values, strict=True))
        at = dict(zip(unknowns, values, strict=True))
        assert evaluate(mine, named) == pytest.approx(float(judge.subs(at)), rel=1e-13)
        for symbol, unknown in zip(traced, unknowns, strict=True):
            slope = evaluate(derivative(mine, symbol), named)
            expected = float(sympy.diff(judge, unknown).subs(at).doit())
            assert slope == pytest.approx(expected, rel=1e-12, abs=1e-14), (name, unknown, values)


# --- random trees ---

NAMES = ("x", "y", "z")


def grow(children: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    one = st.sampled_from(("negate", "tanh", "exp", "log", "sqrt", "square"))
    two = st.sampled_from(("add", "subtract", "multiply", "divide", "minimum", "maximum"))
    three = st.sampled_from(("where", "hill", "power"))
    return st.one_of(
        st.tuples(one, children),
        st.tuples(two, children, children),
        st.tuples(three, children, children, children),
    )


LEAVES = st.one_of(
    st.tuples(st.just("symbol"), st.sampled_from(NAMES)),
    st.tuples(st.just("number"), st.sampled_from((-2.0, -1.0, 0.0, 0.5, 1.0, 3.0))),
)
TREES = st.recursive(LEAVES, grow, max_leaves=12)
COORDINATE = st.floats(0.1, 3.0).map(lambda x: round(x, 6) + 3.3e-7)


def interpret(tree: Tree, values: Mapping[str, Any]) -> Any:
    """A tree in floats or symbols; every function gets an argument inside its domain."""
    name, *rest = tree
    if name == "symbol":
        return values[rest[0]]
    if name == "number":
        return rest[0]
    m = carsim.math
    a, *others = (interpret(child, values) for child in rest)
    # Taming keeps nested functions within a few orders of magnitude.
    tame = m.tanh(0.2 * a)
    match name:
        case "negate":
            return -a
        case "tanh":
            return tame
        case "exp":
            return m.exp(tame)
        case "log":
            return m.log(1.5 + tame)
        case "sqrt":
            return m.sqrt(1.5 + tame)
        case "square":
            return tame**2
    b = others[0]
    match name:
        case "add":
            return a + b
        case "subtract":
            return a - b
        case "multiply":
            return tame * b
        case "divide":
            return b / (1.5 + tame)
        case "minimum":
            return m.minimum(a, b)
        case "maximum":
            return m.maximum(a, b)
    c = others[1]
    match name:
        case "where":
            return m.where(a + 0.123 * values["x"] < b, b, c)
        case "hill":
            return m.hill(1.5 + tame, m.exp(m.tanh(b)), 1.5 + m.tanh(c))
    return m.power(1.5 + tame, m.tanh(b)) + c


@settings(max_examples=60, deadline=None)
@given(TREES, COORDINATE, COORDINATE, COORDINATE)
def test_random_trees_evaluate_like_plain_python(tree: Tree, x: float, y: float, z: float) -> None:
    graph = Graph()
    values = dict(zip(NAMES, (x, y, z), strict=True))
    node = graph.lift(interpret(tree, dict(zip(NAMES, symbols(graph), strict=True))))
    expected = float(interpret(tree, values))
    assert evaluate(node, values) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(TREES, COORDINATE, COORDINATE, COORDINATE, st.sampled_from(NAMES))
def test_random_derivatives_equal_50_digit_differences(
    tree: Tree, x: float, y: float, z: float, name: str
) -> None:
    graph = Graph()
    traced = dict(zip(NAMES, symbols(graph), strict=True))
    node = graph.lift(interpret(tree, traced))
    with mpmath.workdps(50):
        # Apart from each other, so that no minimum of two of them sits on its kink.
        apart = (x, y + 1.7e-7, z + 4.1e-7)
        values = {n: mpmath.mpf(v) for n, v in zip(NAMES, apart, strict=True)}
        step = mpmath.mpf(10) ** -20
        above = evaluate(node, {**values, name: values[name] + step}, EXACT)
        below = evaluate(node, {**values, name: values[name] - step}, EXACT)
        slope = evaluate(derivative(node, traced[name]), values, EXACT)
        assert abs((above - below) / (2 * step) - slope) <= 1e-12 * (1 + abs(slope))


@settings(max_examples=40, deadline=None)
@given(TREES)
def test_building_a_tree_twice_adds_no_node(tree: Tree) -> None:
    graph = Graph()
    values = dict(zip(NAMES, symbols(graph), strict=True))
    first = graph.lift(interpret(tree, values))
    size = len(graph.nodes)
    assert graph.lift(interpret(tree, values)) is first
    assert len(graph.nodes) == size


# --- sharing and simplification ---


def test_equal_expressions_are_one_node() -> None:
    graph = Graph()
    x, y, z = symbols(graph)
    assert graph.symbol("x") is x
    assert x + y is y + x
    assert x * y is y * x
    assert (x + y) / z is (y + x) / z
    assert x - (-y) is x + y
    assert x + (-y) is x - y
    assert 0 - (0 - x) is x
    assert -(x - y) is y - x
    assert (-x) * y is -(x * y)
    assert (-x) * (-y) is x * y
    assert 1 / (1 / x) is x
    assert +x is x


def test_all_quotients_by_one_expression_share_its_reciprocal() -> None:
    graph = Graph()
    x, y, z = symbols(graph)
    quotients = [x / (y + z), y / (z + y), 2 / (y + z)]
    reciprocals = {a.index for q in quotients for a in q.arguments if a.operation == "reciprocal"}
    assert len(reciprocals) == 1


@pytest.mark.parametrize(
    ("build", "value"),
    [
        (lambda x: x * 0, 0.0),
        (lambda x: 0 / x, 0.0),
        (lambda x: x - x, 0.0),
        (lambda x: x**0, 1.0),
        (lambda x: carsim.math.exp(0 * x), 1.0),
        (lambda x: carsim.math.log(0 * x), -math.inf),
        (lambda x: carsim.math.minimum(x - x, 2), 0.0),
        (lambda x: carsim.math.maximum(x - x, 2), 2.0),
        (lambda x: carsim.math.where(x - x < 1, 5, x), 5.0),
        (lambda x: carsim.math.hill(x - x, 2.0), 0.0),
        (lambda x: abs(x * 0 - 3), 3.0),
    ],
)
def test_numbers_are_folded(build: Callable[[Expression], Expression], value: float) -> None:
    assert build(Graph().symbol("x")).constant == value


def test_neutral_elements_disappear() -> None:
    x = Graph().symbol("x")
    for same in (x + 0, 0 + x, x - 0, x * 1, 1 * x, x / 1, x**1, -1 * -x):
        assert same is x
    assert (0 - x).operation == "negate"
    assert (-1 * x).operation == "negate"


def test_whole_powers_multiply_by_squaring() -> None:
    graph = Graph()
    x = graph.symbol("x")
    eighth = x**8
    products = [node for node in graph.nodes if node.operation == "multiply"]
    assert len(products) == 3
    assert evaluate(eighth, {"x": 3.0}) == 3.0**8
    assert evaluate(x**-3, {"x": 2.0}) == 0.125


def test_symbols_in_an_expression() -> None:
    graph = Graph()
    x, y, z = symbols(graph)
    assert graph.depends_on(x * y + 1) == {x.index, y.index}
    assert graph.depends_on(graph.lift(3)) == frozenset()
    assert derivative(x * y, z) is graph.zero


def test_a_long_sum_is_no_deep_recursion() -> None:
    graph = Graph()
    x, y, _ = symbols(graph)
    total = x
    for _ in range(5000):
        total = total * y + x
    slope = derivative(total, x)
    assert evaluate(slope, {"x": 1.0, "y": 0.5}) == pytest.approx(2.0)


def test_numbers_show_as_numbers_and_operations_by_name() -> None:
    graph = Graph()
    x, y, _ = symbols(graph)
    assert repr(2 - x * y) == "subtract(2.0, multiply(x, y))"
    assert float(graph.lift(2.5)) == 2.5


# --- edges: vanished and negative pools ---


def test_powers_and_hill_take_a_negative_pool_for_zero() -> None:
    graph = Graph()
    x, y, _ = symbols(graph)
    values = {"x": mpmath.mpf(-1), "y": mpmath.mpf(1.5)}
    for f in (carsim.math.power(x, y), carsim.math.power(x, 3), carsim.math.hill(x, 1.0, y)):
        assert 0.0 <= evaluate(f, values, EXACT) <= TINY
        assert evaluate(derivative(f, x), values, EXACT) == 0.0


def test_slope_of_hill_is_finite_at_zero() -> None:
    graph = Graph()
    x, y, z = symbols(graph)
    response = carsim.math.hill(x, y, z)
    values = {"x": mpmath.mpf(0), "y": mpmath.mpf(1), "z": mpmath.mpf(2.5)}
    for symbol in (x, y, z):
        assert abs(evaluate(derivative(response, symbol), values, EXACT)) < TINY


def test_kinks_have_the_slope_of_the_branch_taken() -> None:
    graph = Graph()
    x, y, _ = symbols(graph)
    largest = carsim.math.maximum(x, y)
    assert evaluate(derivative(largest, x), {"x": 2.0, "y": 1.0}) == 1.0
    assert evaluate(derivative(largest, x), {"x": 1.0, "y": 2.0}) == 0.0
    assert evaluate(derivative(largest, y), {"x": 1.0, "y": 2.0}) == 1.0


@pytest.mark.parametrize("x", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize(
    "condition",
    [
        lambda x: x < 0,
        lambda x: x <= 0,
        lambda x: x > 0,
        lambda x: x >= 0,
        lambda x: x == 0,
        lambda x: x != 0,
        lambda x: (x <= 0) & (x >= 0),
        lambda x: (x < 0) | (x == 0),
    ],
)
def test_comparisons_hold_at_equality_as_in_plain_python(
    condition: Callable[[Any], Any], x: float
) -> None:
    symbol = Graph().symbol("x")
    node = carsim.math.where(condition(symbol), symbol + 5, symbol - 5)
    assert evaluate(node, {"x": x}) == (x + 5 if condition(x) else x - 5)


@pytest.mark.parametrize("x", [-1.0, 0.0, 1.0])
def test_conditions_can_be_negated(x: float) -> None:
    symbol = Graph().symbol("x")
    node = carsim.math.where(~((symbol < 0) | (symbol == 0)), symbol * 0 + 1, symbol * 0)
    assert evaluate(node, {"x": x}) == float(x > 0)


# --- what cannot be traced ---


@pytest.mark.parametrize(
    ("misuse", "message"),
    [
        (lambda x, y: 1 if x else 2, r"Python `if`.*use carsim\.math\.where"),
        (lambda x, y: 1 if x < y else 2, "both branches must be written"),
        (lambda x, y: max(x, y), r"maximum\(a, b\)"),
        (lambda x, y: x and y, "Python `if`"),
        (lambda x, y: float(x), r"turned into a number.*carsim\.math"),
        (lambda x, y: math.exp(x), "turned into a number"),
        (lambda x, y: x**0.5, r"not a whole number.*power\(x, n\)"),
        (lambda x, y: x**y, r"power\(x, n\), which is safe at zero"),
        (lambda x, y: 2.0**x, r"exp\(n \* carsim\.math\.log\(base\)\)"),
        (lambda x, y: x / 0, "divide by the number 0"),
        (lambda x, y: x / (y - y), "divide by the number 0"),
        (lambda x, y: carsim.math.where(x, 1, 2), "needs a comparison such as x > 0"),
        (lambda x, y: x.__carsim_function__("erf", (x,)), r"carsim\.math\.erf cannot be traced"),
    ],
)
def test_what_cannot_be_traced_says_what_to_write(
    misuse: Callable[[Any, Any], Any], message: str
) -> None:
    graph = Graph()
    with pytest.raises(ModelError, match=message):
        misuse(graph.symbol("x"), graph.symbol("y"))
