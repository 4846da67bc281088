"""Equations in LaTeX: readable, and true: they are read back and compared with plain Python."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from carsim import Assumed, Model, Parameters, State, observable, parameter, state
from carsim.cli import main
from carsim.math import abs_, exp, hill, log, maximum, minimum, power, sqrt, tanh, where
from carsim.registry import load_model
from carsim.symbolic.latex import document, equations
from carsim.symbolic.names import symbol

SOURCE = Assumed("test")


# --- reading LaTeX back ---

TOKEN = re.compile(
    r"\\begin\{cases\}|\\end\{cases\}|\\left[(|]|\\right[)|]|\\mathrm\{(?:if|otherwise|and|or)\}"
    r"|\\frac|\\sqrt|\\exp|\\ln|\\tanh|\\min|\\max|\\cdot|\\leq|\\neq|\\\\|\\,|\\ "
    r"|[0-9]+(?:\.[0-9]+)?|[-+^{}&,<=]"
)
FUNCTIONS: dict[str, Callable[..., float]] = {
    "\\exp": math.exp,
    "\\ln": math.log,
    "\\tanh": math.tanh,
    "\\min": min,
    "\\max": max,
}
RELATIONS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "\\leq": lambda a, b: a <= b,
    "=": lambda a, b: a == b,
    "\\neq": lambda a, b: a != b,
}


class Reader:
    """A calculator for the LaTeX that `carsim.symbolic` writes."""

    def __init__(self, text: str, values: Mapping[str, float]) -> None:
        self.values = values
        names = sorted(values, key=len, reverse=True)
        self.tokens: list[str] = []
        position = 0
        while position < len(text):
            if text[position] == " ":
                position += 1
                continue
            name = next((n for n in names if self._is_name(text, position, n)), None)
            if name is None:
                found = TOKEN.match(text, position)
                assert found, f"not LaTeX of ours: {text[position : position + 40]}"
                name = found[0]
            position += len(name)
            if name not in ("\\,", "\\ ", "\\cdot"):
                self.tokens.append(name)
        self.at = 0

    @staticmethod
    def _is_name(text: str, position: int, name: str) -> bool:
        """`\\eta` is no beginning of `\\etaX`, nor `k` of `k_{2}`."""
        if not text.startswith(name, position):
            return False
        after = text[position + len(name) : position + len(name) + 1]
        return after != "_" and not (name[0] == "\\" and name[-1].isalpha() and after.isalpha())

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, expected: str | None = None) -> str:
        token = self.peek()
        assert token, "unexpected end"
        assert expected in (None, token), f"{token} where {expected} belongs"
        self.at += 1
        return token

    def whole(self) -> float:
        value = self.sum()
        assert not self.peek(), f"left over: {self.tokens[self.at :]}"
        return value

    def sum(self) -> float:
        sign = -1.0 if self.peek() == "-" else 1.0
        if sign < 0.0:
            self.take()
        total = sign * self.product()
        while self.peek() in ("+", "-"):
            sign = 1.0 if self.take() == "+" else -1.0
            total += sign * self.product()
        return total

    def product(self) -> float:
        value = self.factor()
        closing = ("", "+", "-", "}", "\\right)", "\\right|", "&", ",", "\\\\", "\\end{cases}")
        words = ("\\mathrm{and}", "\\mathrm{or}")
        while self.peek() not in (*closing, *words, *RELATIONS):
            value *= self.factor()
        return value

    def factor(self) -> float:
        base = self.atom()
        if self.peek() == "^":
            self.take()
            base **= self.braced()
        return base

    def braced(self) -> float:
        self.take("{")
        value = self.sum()
        self.take("}")
        return value

    def atom(self) -> float:
        token = self.take()
        if token in self.values:
            return self.values[token]
        if token[0].isdigit():
            return float(token)
        if token == "\\frac":
            return self.braced() / self.braced()
        if token == "\\sqrt":
            return math.sqrt(self.braced())
        if token in FUNCTIONS:
            self.take("\\left(")
            arguments = [self.sum()]
            while self.peek() == ",":
                self.take()
                arguments.append(self.sum())
            self.take("\\right)")
            return FUNCTIONS[token](*arguments)
        if token == "\\left|":
            value = abs(self.sum())
            self.take("\\right|")
            return value
        if token == "\\begin{cases}":
            return self.cases()
        assert token == "\\left(", f"unexpected {token}"
        value = self.sum()
        self.take("\\right)")
        return value

    def cases(self) -> float:
        first = self.sum()
        self.take("&")
        self.take("\\mathrm{if}")
        condition = self.condition()
        self.take("\\\\")
        second = self.sum()
        self.take("&")
        self.take("\\mathrm{otherwise}")
        self.take("\\end{cases}")
        return first if condition else second

    def condition(self) -> bool:
        holds = self.comparison()
        while self.peek() in ("\\mathrm{and}", "\\mathrm{or}"):
            word = self.take()
            other = self.comparison()
            holds = holds and other if word == "\\mathrm{and}" else holds or other
        return holds

    def comparison(self) -> bool:
        before = self.at
        if self.peek() == "\\left(":
            self.take()
            try:
                holds = self.condition()
                self.take("\\right)")
            except (AssertionError, KeyError):
                self.at = before
            else:
                return holds
        a = self.sum()
        return RELATIONS[self.take()](a, self.sum())


def read(model: Model, t: float, y: list[float], p: list[float]) -> list[float]:
    """The derivatives, from the printed equations."""
    values = {"t": t}
    values |= {symbol(n): v for n, v in zip(model.state_names, y, strict=True)}
    values |= {symbol(n): v for n, v in zip(model.parameter_names, p, strict=True)}
    lines = equations(model)
    n = len(model.state_names)
    definitions = dict(line.split(" = ", 1) for line in lines[n:])
    assert not definitions.keys() & values.keys()
    for name, text in definitions.items():
        values[name] = Reader(text, values).whole()
    found = []
    for name, line in zip(model.state_names, lines, strict=False):
        left, right = line.split(" = ", 1)
        assert left == f"\\frac{{\\mathrm{{d}} {symbol(name)}}}{{\\mathrm{{d}} t}}"
        found.append(Reader(right, values).whole())
    return found


def test_published_equations_say_what_is_computed(model_name: str) -> None:
    model = load_model(model_name)
    table = model.parameter_values(n=3)
    y0, p = model.initial_state(table)
    generator = np.random.default_rng(6)
    y = np.where(y0 > 0.0, y0, 1.0) * np.exp(generator.uniform(-1.0, 1.0, y0.shape))
    for t, state_values, parameter_values in zip((0.5, 12.0, 90.0), y, p, strict=True):
        found = read(model, t, state_values.tolist(), parameter_values.tolist())
        expected = model.derivatives(t, state_values.tolist(), parameter_values.tolist())
        # Numbers are printed with ten digits; sums of large terms may cancel.
        scale = np.abs(state_values).max() * 1e-13
        np.testing.assert_allclose(found, np.array(expected, float), rtol=1e-7, atol=scale)


# --- every operation ---


class Pools(State):
    A: float = state(1.0, "1", "first", SOURCE)
    virus: float = state(2.0, "1", "second", SOURCE)


class Rates(Parameters):
    beta: float = parameter(0.5, "1/day", "rate", SOURCE)
    k_on: float = parameter(2.0, "1/day", "rate", SOURCE)
    K: float = parameter(3.0, "1", "level", SOURCE)
    n: float = parameter(1.7, "1", "steepness", SOURCE)


def printed(right: Callable[[Any, Any, Any], Any]) -> str:
    """The right-hand side of A, checked by reading it back at three points."""

    def rhs(t: float, y: Pools, p: Rates) -> Pools:
        return Pools(A=right(t, y, p), virus=0.0)

    model = Model("one", rhs, Pools, Rates)
    points = ((0.0, [1.5, 0.7]), (2.0, [0.3, 4.0]), (5.0, [2.0, 2.0]))
    for t, y in points:
        for p in ([0.5, 2.0, 3.0, 1.7], [1.5, 0.3, 0.4, 2.2]):
            expected = float(model.derivatives(t, y, p)[0])
            assert read(model, t, y, p)[0] == pytest.approx(expected, rel=1e-9, abs=1e-12)
    return equations(model)[0].split(" = ", 1)[1]


@pytest.mark.parametrize(
    ("right", "text"),
    [
        (lambda t, y, p: p.beta * y.A, r"\beta \, A"),
        (lambda t, y, p: y.A * p.beta, r"\beta \, A"),
        (lambda t, y, p: y.A - p.beta * y.virus, r"A - \beta \, \mathrm{virus}"),
        (lambda t, y, p: -y.A - y.virus, r"-A - \mathrm{virus}"),
        (lambda t, y, p: -(y.A - y.virus), r"\mathrm{virus} - A"),
        (lambda t, y, p: -p.beta * y.A + y.virus, r"\mathrm{virus} - \beta \, A"),
        (lambda t, y, p: y.A - (y.virus - p.K), r"A - \mathrm{virus} + K"),
        (lambda t, y, p: y.A - (y.virus + p.K), r"A - \mathrm{virus} - K"),
        (lambda t, y, p: y.A / p.K, r"\frac{A}{K}"),
        (lambda t, y, p: 1 / p.K, r"\frac{1}{K}"),
        (lambda t, y, p: -y.A / p.K, r"-\frac{A}{K}"),
        (lambda t, y, p: (y.A + p.K) / (y.A - p.K), r"\frac{A + K}{A - K}"),
        (lambda t, y, p: y.A / p.K / y.virus, r"\frac{A}{K \, \mathrm{virus}}"),
        (lambda t, y, p: y.A / (p.K / y.virus), r"\frac{A \, \mathrm{virus}}{K}"),
        (
            lambda t, y, p: p.beta * y.A * (1 - y.A / p.K),
            r"\beta \, A \, \left(1 - \frac{A}{K}\right)",
        ),
        (lambda t, y, p: y.A * (y.A - p.K) ** 2, r"A \, \left(A - K\right)^{2}"),
        (lambda t, y, p: y.A**3 / y.virus**2, r"\frac{A^{3}}{\mathrm{virus}^{2}}"),
        (lambda t, y, p: 2 * y.A, r"2 \, A"),
        (lambda t, y, p: -2 * y.A, r"-2 \, A"),
        (lambda t, y, p: y.virus - 0.25 * y.A, r"\mathrm{virus} - 0.25 \, A"),
        (lambda t, y, p: y.A / 3, r"\frac{A}{3}"),
        (lambda t, y, p: y.A / 86400, r"\frac{A}{86400}"),
        (lambda t, y, p: 2.5e-8 * y.A, r"2.5 \cdot 10^{-8} \, A"),
        (lambda t, y, p: 1e12 + y.A, r"A + 10^{12}"),
        (lambda t, y, p: 0.0 * y.A - 1.5, "-1.5"),
        (lambda t, y, p: exp(-p.beta * t), r"\exp\left(-\beta \, t\right)"),
        (lambda t, y, p: log(y.A / p.K), r"\ln\left(\frac{A}{K}\right)"),
        (lambda t, y, p: sqrt(y.A + p.K), r"\sqrt{A + K}"),
        (lambda t, y, p: y.A * tanh(y.A), r"A \, \tanh\left(A\right)"),
        (lambda t, y, p: power(y.A, 0.5), r"\sqrt{A}"),
        (lambda t, y, p: power(y.A, p.n), r"A^{n}"),
        (lambda t, y, p: 2 * power(y.A / p.K, 2), r"2 \, \max\left(\frac{A}{K}, 0\right)^{2}"),
        (lambda t, y, p: hill(y.A, p.K), r"\frac{A}{A + K}"),
        (lambda t, y, p: hill(y.A, p.K, 2), r"\frac{A^{2}}{A^{2} + K^{2}}"),
        (
            lambda t, y, p: p.beta * hill(y.A, p.K, p.n),
            r"\beta \, \frac{A^{n}}{A^{n} + K^{n}}",
        ),
        (lambda t, y, p: minimum(y.A, p.K), r"\min\left(A, K\right)"),
        (lambda t, y, p: maximum(y.A - p.K, 0), r"\max\left(A - K, 0\right)"),
        (lambda t, y, p: maximum(y.A, 0) * p.K, r"K \, \max\left(A, 0\right)"),
        (lambda t, y, p: abs_(y.A - p.K), r"\left|A - K\right|"),
        (
            lambda t, y, p: where(y.A < p.K, y.A, 0),
            r"\begin{cases} A & \mathrm{if}\ A < K \\ 0 & \mathrm{otherwise} \end{cases}",
        ),
        (
            lambda t, y, p: -p.beta * where(t <= 2, y.A, p.K - y.A),
            r"-\beta \, \left(\begin{cases} A & \mathrm{if}\ t \leq 2 \\ "
            r"K - A & \mathrm{otherwise} \end{cases}\right)",
        ),
        (
            lambda t, y, p: where((y.A < 1) & (y.virus > 1) | (t == 2), 1, 2),
            r"\begin{cases} 1 & \mathrm{if}\ \left(A < 1\ \mathrm{and}\ 1 < \mathrm{virus}\right)"
            r"\ \mathrm{or}\ t = 2 \\ 2 & \mathrm{otherwise} \end{cases}",
        ),
        (
            lambda t, y, p: where(t != 2, 1, 2),
            r"\begin{cases} 1 & \mathrm{if}\ t \neq 2 \\ 2 & \mathrm{otherwise} \end{cases}",
        ),
    ],
)
def test_operations(right: Callable[[Any, Any, Any], Any], text: str) -> None:
    assert printed(right) == text


# --- names ---


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("k", "k"),
        ("beta", r"\beta"),
        ("Omega", r"\Omega"),
        ("virus", r"\mathrm{virus}"),
        ("hbv.virus", r"\mathrm{virus}_{\mathrm{hbv}}"),
        ("k_kill", r"k_{\mathrm{kill}}"),
        ("tau_C", r"\tau_{C}"),
        ("cart.r_E", r"r_{E, \mathrm{cart}}"),
        ("rhoC", r"\rho_{C}"),
        ("k12", "k_{12}"),
        ("CL", r"\mathrm{CL}"),
        ("il6", r"\mathrm{il6}"),
        ("a.b.c_d_2", r"c_{d, 2, b, a}"),
        ("b_cell.igg", r"\mathrm{igg}_{\mathrm{b\ cell}}"),
    ],
)
def test_names(name: str, text: str) -> None:
    assert symbol(name) == text


def test_names_that_would_look_alike_stay_apart() -> None:
    class Alike(Parameters):
        k_1: float = parameter(1.0, "1/day", "rate", SOURCE)
        k1: float = parameter(2.0, "1/day", "rate", SOURCE)

    def rhs(t: float, y: Pools, p: Alike) -> Pools:
        return Pools(A=p.k_1 * y.A, virus=p.k1 * y.virus)

    first, second = equations(Model("alike", rhs, Pools, Alike))
    assert first.endswith(r"= k_{1} \, A")
    assert second.endswith(r"= \mathrm{k1} \, \mathrm{virus}")


def test_what_the_author_named_and_used_twice_has_a_name() -> None:
    def rhs(t: float, y: Pools, p: Rates) -> Pools:
        infection = p.beta * y.A * y.virus
        once = p.k_on * y.virus
        return Pools(A=-infection, virus=infection - once)

    assert equations(Model("terms", rhs, Pools, Rates)) == [
        r"\frac{\mathrm{d} A}{\mathrm{d} t} = -\mathrm{infection}",
        r"\frac{\mathrm{d} \mathrm{virus}}{\mathrm{d} t} = \mathrm{infection} - "
        r"k_{\mathrm{on}} \, \mathrm{virus}",
        r"\mathrm{infection} = \beta \, A \, \mathrm{virus}",
    ]


def test_the_outermost_name_wins_and_arguments_do_not_count() -> None:
    def inner(x: Any, y: Any) -> Any:
        result = x * y
        return result + 1

    def rhs(t: float, y: Pools, p: Rates) -> Pools:
        total = inner(y.A, y.virus)
        return Pools(A=total * p.beta, virus=total * p.k_on)

    assert equations(Model("calls", rhs, Pools, Rates))[2:] == [
        r"\mathrm{total} = 1 + A \, \mathrm{virus}"
    ]


def test_a_term_named_like_a_state_is_numbered() -> None:
    def rhs(t: float, y: Pools, p: Rates) -> Pools:
        virus = p.beta * y.A * y.virus
        return Pools(A=-virus, virus=virus)

    assert equations(Model("clash", rhs, Pools, Rates))[2] == (
        r"\mathrm{virus}_{2} = \beta \, A \, \mathrm{virus}"
    )


def test_profilers_are_left_as_they_were() -> None:
    import sys

    def watch(*arguments: Any) -> None:
        return None

    sys.setprofile(watch)
    try:
        equations(load_toy())
        assert sys.getprofile() is watch
    finally:
        sys.setprofile(None)


# --- the document, the command line, and another typesetter ---


@observable("1", "all of it, in % of K")
def total(t: float, y: Pools, p: Rates) -> float:
    return 100 * (y.A + y.virus) / p.K


def toy(t: float, y: Pools, p: Rates) -> Pools:
    infection = p.beta * y.A * hill(y.virus, p.K, p.n)
    return Pools(A=-infection, virus=infection - p.k_on * y.virus)


def load_toy() -> Model:
    return Model("toy_model", toy, Pools, Rates, observables=(total,))


def test_the_document_holds_everything() -> None:
    text = document(load_toy())
    assert text.startswith("\\documentclass")
    assert text.endswith("\\end{document}\n")
    assert "\\section*{toy\\_model}" in text
    assert "\\mathrm{total} &= \\frac{100 \\, \\left(A + \\mathrm{virus}\\right)}{K}" in text
    assert "$k_{\\mathrm{on}}$ & 2 & 1/day & rate \\\\" in text
    assert "$\\mathrm{virus}$ & 2 & 1 & second \\\\" in text
    for opened in re.findall(r"\\begin\{(\w+\*?)\}", text):
        assert text.count(f"\\begin{{{opened}}}") == text.count(f"\\end{{{opened}}}")
    outside = re.sub(r"\$[^$]*\$|\\begin\{align\*\}.*?\\end\{align\*\}", "", text, flags=re.S)
    assert not re.search(r"(?<!\\)[_^%#]", outside)


def test_braces_and_brackets_of_published_equations_are_paired(model_name: str) -> None:
    for line in equations(load_model(model_name)):
        depth = 0
        for brace in re.findall(r"(?<!\\)[{}]", line):
            depth += 1 if brace == "{" else -1
            assert depth >= 0
        assert depth == 0
        assert line.count("\\left") == line.count("\\right")
        assert not re.search(r"\\mathrm\{[^}]*_", line)


def test_another_typesetter_understands_published_equations(model_name: str) -> None:
    """matplotlib's mathtext knows all of it but cases."""
    mathtext = pytest.importorskip("matplotlib.mathtext")
    lines = [line for line in equations(load_model(model_name)) if "cases" not in line]
    for line in lines[:6]:
        mathtext.math_to_image(f"${line}$", BytesIO(), dpi=40)


def test_the_command_line_prints_one_equation_a_line(tmp_path: Any) -> None:
    file = tmp_path / "decay.py"
    file.write_text(
        '"""Decay."""\n'
        "from carsim import Assumed, Model, Parameters, State, parameter, state\n"
        "class Y(State):\n"
        "    a: float = state(1.0, 'mg', 'drug', Assumed('test'))\n"
        "class P(Parameters):\n"
        "    k: float = parameter(0.1, '1/day', 'elimination', Assumed('test'))\n"
        "def rhs(t, y, p):\n"
        "    return Y(a=-p.k * y.a)\n"
        "MODEL = Model('decay', rhs, Y, P)\n"
    )
    result = CliRunner().invoke(main, ["show", str(file), "--equations"])
    assert result.exit_code == 0, result.output
    assert result.output == "\\frac{\\mathrm{d} a}{\\mathrm{d} t} = -k \\, a\n"
