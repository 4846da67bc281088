"""The equations of a model in LaTeX, from the same trace as its kernels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from carsim.symbolic.expression import Expression
from carsim.symbolic.names import symbol
from carsim.symbolic.typeset import Printer

if TYPE_CHECKING:
    from carsim.model import Model


def equations(model: Model) -> list[str]:
    """The equations of a model, one string each.

    Parameters
    ----------
    model : Model
        The model.

    Returns
    -------
    list of str
        LaTeX in math mode: one equation a state, in order; then the definitions of the terms that
        they share, by the names of the local variables of the model's file.
    """
    printer = Printer.of(model)
    return _equations(printer, printer.trace.derivatives)


def document(model: Model) -> str:
    """A LaTeX document with the equations, observables, states and parameters of a model.

    Parameters
    ----------
    model : Model
        The model.

    Returns
    -------
    str
        Needs the packages amsmath and longtable.
    """
    printer = Printer.of(model)
    traced = printer.trace
    observed = [
        f"{symbol(name)} = {printer.whole(f)}"
        for name, f in zip(model.observable_names, traced.observables, strict=True)
    ]
    states = [(f"{s.initial:g}", s.unit, s.words) for s in model.states]
    parameters = [
        ("computed" if p.computed else f"{p.value:g}", p.unit, p.words) for p in model.parameters
    ]
    own = model.initial is not None or model.initialise is not None
    parts = [
        "\\documentclass{article}",
        "\\usepackage{amsmath,longtable}",
        "\\allowdisplaybreaks",
        "\\begin{document}",
        f"\\section*{{{_escape(model.name)}}}",
        _escape(model.doc.partition("\n")[0]),
        f"Time is in {_escape(model.time_unit)}.",
        "Pools inside powers and Hill functions count as zero if negative.",
        *_block("Equations", _equations(printer, (*traced.derivatives, *traced.observables))),
        *_block("Observables", observed),
        *_table("States", "declared" if own else "initial", printer, traced.states, states),
        *_table("Parameters", "value", printer, traced.parameters, parameters),
        "\\end{document}",
    ]
    return "\n".join(parts) + "\n"


def _equations(printer: Printer, roots: Sequence[Expression]) -> list[str]:
    """The equations of the states, and the definitions of what `roots` refer to."""
    traced = printer.trace
    states = [
        f"\\frac{{\\mathrm{{d}} {printer.whole(y)}}}{{\\mathrm{{d}} t}} = {printer.whole(f)}"
        for y, f in zip(traced.states, traced.derivatives, strict=True)
    ]
    return states + printer.definitions(roots)


def _block(title: str, lines: list[str]) -> list[str]:
    if not lines:
        return []
    body = " \\\\\n".join(line.replace(" = ", " &= ", 1) for line in lines)
    return [f"\\subsection*{{{title}}}", "\\begin{align*}", body, "\\end{align*}"]


def _table(
    title: str,
    value: str,
    printer: Printer,
    symbols: Sequence[Expression],
    rows: Iterable[tuple[str, ...]],
) -> list[str]:
    body = [
        f"${printer.whole(node)}$ & {' & '.join(map(_escape, row))} \\\\"
        for node, row in zip(symbols, rows, strict=True)
    ]
    if not body:
        return []
    return [
        f"\\subsection*{{{title}}}",
        "\\begin{longtable}{lllp{7cm}}",
        f"symbol & {value} & unit & what \\\\ \\hline",
        *body,
        "\\end{longtable}",
    ]


def _escape(text: str) -> str:
    replaced = {"\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}"}
    return "".join(replaced.get(c, f"\\{c}" if c in "&%$#_{}" else c) for c in text)
