"""Write the numba source of a model's kernels.

Every kernel is one loop over packs of eight lanes, straight-line inside, on flat arrays: state
``i`` of lanes ``l`` to ``l + 7`` is ``load(y, i * LANES + l)`` with the product written as a
literal.

Subexpressions of parameters only are computed once a patient (kernel ``derive``) and stored behind
its parameters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from carsim.engine.pack import WIDTH
from carsim.symbolic.expression import CONDITIONS, Expression, Graph, whole_hill
from carsim.symbolic.structure import Elimination, eliminate
from carsim.symbolic.trace import Trace

Place = tuple[str, int]
"""An array and the position of an element in it."""

_LONGEST = 90


@dataclass
class _Kernel:
    """One function under construction: statements inside the loop over lanes."""

    name: str
    arguments: str
    layout: _Layout
    lines: list[str] = field(default_factory=list)

    def emit(self, outputs: Mapping[Place, Expression]) -> None:
        """Store each expression in its place, shared subexpressions first."""
        layout = self.layout
        roots = {target: layout.lowered(node) for target, node in outputs.items()}
        uses: dict[int, int] = {}
        order: list[Expression] = []
        seen: set[int] = set()
        stack = [(node, False) for node in reversed(list(roots.values()))]
        for node in roots.values():
            uses[node.index] = uses.get(node.index, 0) + 1
        while stack:
            node, done = stack.pop()
            if done:
                order.append(node)
                continue
            if node.index in seen:
                continue
            seen.add(node.index)
            stack.append((node, True))
            if layout.is_stored(node):
                continue
            # A smaller and a larger value are written with their operands twice.
            mentions = 2 if node.operation in _OF_TWO else 1
            for argument in reversed(node.arguments):
                uses[argument.index] = uses.get(argument.index, 0) + mentions
                stack.append((argument, False))
        text: dict[int, str] = {}
        for node in order:
            if node.operation == "constant":
                text[node.index] = repr(node.payload)
            elif layout.is_stored(node):
                name = f"{node.operation[0]}{node.index}"
                self.lines.append(f"{name} = {layout.location(node)}")
                text[node.index] = name
            else:
                written = _FORMATS[node.operation]
                if node.operation in _OF_TWO and node.arguments[1].constant is None:
                    written = _OF_TWO[node.operation]
                code = written.format(*(text[a.index] for a in node.arguments))
                single = uses[node.index] == 1
                if node.operation in CONDITIONS or (single and len(code) <= _LONGEST):
                    text[node.index] = f"({code})"
                else:
                    self.lines.append(f"x{node.index} = {code}")
                    text[node.index] = f"x{node.index}"
        for target, node in roots.items():
            self.lines.append(layout.store(target, text[node.index]))

    def source(self) -> str:
        body = self.lines or ["pass"]
        lines = [
            f"@kernel({self.name.upper()})",
            f"def {self.name}({self.arguments}):",
        ]
        lines.append(f"    for l in range(0, n, {WIDTH}):")
        lines.extend(f"        {line}" for line in body)
        return "\n".join(lines)


_FORMATS = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "negate": "-{0}",
    "multiply": "{0} * {1}",
    "reciprocal": "1.0 / {0}",
    "exp": "exp({0})",
    "log": "log({0})",
    "sqrt": "square_root({0})",
    "tanh": "hyperbolic_tangent({0})",
    "less": "{0} < {1}",
    "at_most": "{0} <= {1}",
    "both": "{0} & {1}",
    "either": "{0} | {1}",
    "where": "select({0}, {1}, {2})",
    # Written so that NaN in the first operand comes out as NaN.
    "minimum": "select({1} < {0}, {1}, {0})",
    "maximum": "select({0} < {1}, {1}, {0})",
}
# The same where the second operand may be NaN: adding the first to it keeps that.
_OF_TWO = {
    "minimum": "select({1} < {0}, {1}, select({0} <= {1}, {0}, {0} + {1}))",
    "maximum": "select({0} < {1}, {1}, select({1} <= {0}, {0}, {0} + {1}))",
}


class _Layout:
    """Where each symbol and each stored parameter expression lies."""

    def __init__(self, trace: Trace, lanes: int) -> None:
        self.graph: Graph = trace.graph
        self.lanes = lanes
        self.locations: dict[int, Place] = {trace.time.index: ("t", 0)}
        for i, symbol in enumerate(trace.states):
            self.locations[symbol.index] = ("y", i)
        self.parameters = frozenset(p.index for p in (*trace.parameters, trace.tolerance))
        for i, symbol in enumerate(trace.parameters):
            self.locations[symbol.index] = ("p", i)
        n = len(trace.parameters)
        self.locations[trace.tolerance.index] = ("p", n)
        # Modes are kept by the engine, so no function of them is one of parameters only.
        for i, switch in enumerate(trace.switches):
            self.locations[switch.mode.index] = ("p", n + 1 + i)
        self._first = n + 1 + len(trace.switches)
        self.derived: dict[int, Expression] = {}
        self._lowered: dict[int, Expression] = {}
        self._storing = True

    def _offset(self, position: int) -> str:
        offset = position * self.lanes
        return f"{offset} + l" if offset else "l"

    def load(self, array: str, position: int) -> str:
        """Element `position` of the lanes."""
        return f"load({array}, {self._offset(position)})"

    def store(self, place: Place, code: str) -> str:
        """The statement that writes an element."""
        array, position = place
        if code.startswith("(") and code.endswith(")"):
            code = code[1:-1]
        return f"store({array}, {self._offset(position)}, {code})"

    def lowered(self, node: Expression) -> Expression:
        """`node` with powers and Hill terms written in operations that a kernel has."""
        stack = [node]
        while stack:
            top = stack[-1]
            if top.index in self._lowered:
                stack.pop()
                continue
            pending = [a for a in top.arguments if a.index not in self._lowered]
            if pending:
                stack.extend(pending)
                continue
            stack.pop()
            self._lowered[top.index] = self._lower(top)
        return self._lowered[node.index]

    def _lower(self, node: Expression) -> Expression:
        graph = self.graph
        arguments = tuple(self._lowered[a.index] for a in node.arguments)
        match node.operation, arguments:
            case "power", (x, n):
                return graph.power_by_logs(x, n)
            case "pow", (x, n):
                return graph.pow_by_logs(x, n)
            case "hill", (x, k, n):
                whole = whole_hill(n)
                if whole is not None:
                    return graph.hill_by_ratio(x, k, whole)
                return graph.hill_by_logs(x, k, n)
        if all(a is b for a, b in zip(arguments, node.arguments, strict=True)):
            return node
        return graph.rebuild(node, arguments)

    def is_stored(self, node: Expression) -> bool:
        """Whether the value is read from an array: a symbol, or a function of parameters only."""
        if node.index in self.locations:
            return True
        if not self._storing or node.operation == "constant" or node.operation in CONDITIONS:
            return False
        symbols = self.graph.depends_on(node)
        return bool(symbols) and symbols <= self.parameters

    def location(self, node: Expression) -> str:
        """Code that reads the value; a function of parameters gets its place on first use."""
        known = self.locations.get(node.index)
        if known is None:
            known = ("p", self._first + len(self.derived))
            self.locations[node.index] = known
            self.derived[node.index] = node
        return self.load(*known)

    def write_derive(self) -> str:
        """The kernel that computes the functions of parameters; none is added after it."""
        places = {index: self.locations.pop(index) for index in self.derived}
        self._storing = False
        derive = _Kernel("derive", "n, p", self)
        derive.emit({places[index]: node for index, node in self.derived.items()})
        self.locations.update(places)
        return derive.source()


@dataclass(frozen=True)
class KernelSource:
    """The source of one model's kernels and the sizes its caller needs.

    Attributes
    ----------
    text : str
        A Python module.
    digest : str
        Hash of the text; equal equations have equal digests.
    reads : tuple of tuple of int
        By observable, and behind them by leaf, the states that it is a function of.
    """

    text: str
    digest: str
    lanes: int
    n_states: int
    n_parameters: int
    n_derived: int
    n_observables: int
    n_leaves: int
    n_jacobian: int
    n_factors: int
    autonomous: bool
    jacobian_positions: tuple[tuple[int, int], ...]
    leaves: tuple[tuple[int, ...], ...]
    reads: tuple[tuple[int, ...], ...]
    _layout: _Layout = field(repr=False)
    _observed: tuple[Expression, ...] = field(repr=False)

    def observing(self, numbers: Iterable[int]) -> str:
        """A module with the kernel ``observe`` of some observables and leaves.

        Parameters
        ----------
        numbers : iterable of int
            Their numbers, those of leaves behind those of the observables. Each has its own place
            in what the kernel fills; the places between are left alone.
        """
        observe = _Kernel("observe", "n, t, y, p, out", self._layout)
        observe.emit({("out", number): self._observed[number] for number in numbers})
        return _HEADER + observe.source() + "\n"


def digest_of(text: str) -> str:
    """Hash of a module's text."""
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def write_source(trace: Trace, lanes: int) -> KernelSource:
    """Write the kernels of a traced model for a number of lanes."""
    layout = _Layout(trace, lanes)
    size = len(trace.states)

    rhs = _Kernel("rhs", "n, t, y, p, out", layout)
    rhs.emit({("out", i): f for i, f in enumerate(trace.derivatives)})

    positions = tuple(sorted(trace.jacobian))
    jacobian = _Kernel("jacobian", "n, t, y, p, out", layout)
    jacobian.emit({("out", k): trace.jacobian[ij] for k, ij in enumerate(positions)})

    time_derivative = _Kernel("time_derivative", "n, t, y, p, out", layout)
    zero = trace.graph.zero
    if not trace.autonomous:
        time_derivative.emit({("out", i): trace.time_derivatives.get(i, zero) for i in range(size)})

    # Behind the observables what changes its sign at their kinks, each once: for those who look
    # between samples. Written to give their functions of parameters a place; a run has a kernel of
    # what it asks for.
    leaves = {leaf.index: leaf for of_one in trace.leaves for leaf in of_one}
    number = {index: len(trace.observables) + k for k, index in enumerate(leaves)}
    observed = (*trace.observables, *leaves.values())
    _Kernel("observe", "n, t, y, p, out", layout).emit(
        {("out", i): f for i, f in enumerate(observed)}
    )

    switch = _Kernel("switch", "n, t, y, p, out", layout)
    switch.emit(
        {
            ("out", 2 * i + k): part
            for i, each in enumerate(trace.switches)
            for k, part in enumerate((each.offset, each.slope))
        }
    )

    elimination = eliminate(size, set(positions))
    factor = _factor(elimination, positions, layout)
    solve = _solve(elimination, size, layout)

    derive = layout.write_derive()
    kernels = [rhs, jacobian, time_derivative, switch, factor, solve]
    text = _HEADER + "\n\n\n".join([derive, *(k.source() for k in kernels)]) + "\n"
    column = {symbol.index: i for i, symbol in enumerate(trace.states)}
    return KernelSource(
        text=text,
        digest=digest_of(text),
        lanes=lanes,
        n_states=size,
        n_parameters=len(trace.parameters),
        n_derived=len(layout.derived),
        n_observables=len(trace.observables),
        n_leaves=len(leaves),
        n_jacobian=len(positions),
        n_factors=len(elimination.entries),
        autonomous=trace.autonomous,
        jacobian_positions=positions,
        leaves=tuple(tuple(number[leaf.index] for leaf in of_one) for of_one in trace.leaves),
        reads=tuple(
            tuple(sorted(column[i] for i in trace.graph.depends_on(f) if i in column))
            for f in observed
        ),
        _layout=layout,
        _observed=observed,
    )


def _factor(
    elimination: Elimination, positions: Iterable[tuple[int, int]], layout: _Layout
) -> _Kernel:
    """LU factors of ``I / gamma - h J``; on the diagonal the reciprocals of the pivots.

    The smallest pivot is given as 0 if any is not finite.

    Every entry is computed once, with all its eliminations (Crout's order).
    """
    kernel = _Kernel("factor", "n, jacobian, h, inverse_gamma, out, smallest", layout)
    lines = kernel.lines
    lines.append("step = load(h, l)")
    lines.append("diagonal = repeat(inverse_gamma)")
    place = {position: k for k, position in enumerate(positions)}
    eliminated: dict[tuple[int, int], list[int]] = {}
    for step, k in enumerate(elimination.order):
        for i in elimination.lower[step]:
            for j in elimination.upper[step]:
                eliminated.setdefault((i, j), []).append(k)

    def value(i: int, j: int) -> str:
        code = "diagonal" if i == j else ""
        if (i, j) in place:
            code += f" - step * {layout.load('jacobian', place[i, j])}"
        for k in eliminated.get((i, j), ()):
            code += f" - w{i}_{k} * w{k}_{j}"
        return code.strip()

    def keep(i: int, j: int, name: str) -> None:
        lines.append(layout.store(("out", elimination.entries[i, j]), name))

    for step, k in enumerate(elimination.order):
        lines.append(f"pivot{k} = {value(k, k)}")
        lines.append(f"inverse{k} = 1.0 / pivot{k}")
        keep(k, k, f"inverse{k}")
        for j in elimination.upper[step]:
            lines.append(f"w{k}_{j} = {value(k, j)}")
            keep(k, j, f"w{k}_{j}")
        for i in elimination.lower[step]:
            lines.append(f"w{i}_{k} = ({value(i, k)}) * inverse{k}")
            keep(i, k, f"w{i}_{k}")
    lines.extend(f"size{k} = magnitude(pivot{k})" for k in elimination.order)
    # In pairs, pairs of pairs and so on: sums and comparisons that need not wait for each other.
    sizes = [f"size{k}" for k in elimination.order]
    pairs = [(size, size) for size in sizes]
    number = 0
    while len(pairs) > 1:
        joined = []
        for (least, total), (other, more) in zip(pairs[::2], pairs[1::2], strict=False):
            lines.append(f"least{number} = select({least} < {other}, {least}, {other})")
            lines.append(f"sum{number} = {total} + {more}")
            joined.append((f"least{number}", f"sum{number}"))
            number += 1
        pairs = joined + pairs[2 * len(joined) :]
    ((smallest, total),) = pairs
    # A pivot that is not finite would make increments of zero, and an error of zero.
    lines.append(f"store(smallest, l, select({total} < inf, {smallest}, 0.0))")
    return kernel


def _solve(elimination: Elimination, size: int, layout: _Layout) -> _Kernel:
    """Solve for one stage with right-hand side ``h f + couple``."""
    kernel = _Kernel("solve", "n, factors, f, couple, h, out", layout)
    lines = kernel.lines
    lines.append("step = load(h, l)")

    def entry(i: int, j: int) -> str:
        return layout.load("factors", elimination.entries[i, j])

    forward: dict[int, list[int]] = {}
    for step, k in enumerate(elimination.order):
        for i in elimination.lower[step]:
            forward.setdefault(i, []).append(k)
    for i in elimination.order:
        code = f"b{i} = step * {layout.load('f', i)} + {layout.load('couple', i)}"
        lines.append(code + "".join(f" - {entry(i, k)} * b{k}" for k in forward.get(i, ())))
    for step in reversed(range(size)):
        k = elimination.order[step]
        terms = "".join(f" - {entry(k, j)} * x{j}" for j in elimination.upper[step])
        lines.append(f"x{k} = (b{k}{terms}) * {entry(k, k)}")
        lines.append(layout.store(("out", k), f"x{k}"))
    return kernel


_HEADER = '''"""Kernels generated by carsim from a model's equations; do not edit."""

from math import inf, nan

from carsim.engine.elementary import exp, log
from carsim.engine.jit import kernel
from carsim.engine.pack import (
    hyperbolic_tangent,
    load,
    magnitude,
    repeat,
    select,
    square_root,
    store,
)
from carsim.engine.signatures import (
    DERIVE,
    FACTOR,
    JACOBIAN,
    OBSERVE,
    RHS,
    SOLVE,
    SWITCH,
    TIME_DERIVATIVE,
)


'''
