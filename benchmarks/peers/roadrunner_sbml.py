"""libRoadRunner: the problem as an SBML document of rate rules, integrated by its CVODE."""

from __future__ import annotations

import numpy as np
import roadrunner

from benchmarks.problem import Array, Problem

MATHML = {
    "add": "plus",
    "subtract": "minus",
    "negate": "minus",
    "multiply": "times",
    "exp": "exp",
    "log": "ln",
    "sqrt": "root",
    "tanh": "tanh",
    "power": "power",
    "less": "lt",
    "both": "and",
    "either": "or",
    "minimum": "min",
    "maximum": "max",
}


def mathml(problem: Problem) -> list[str]:
    """Each derivative as a MathML tree; LLVM finds the common subexpressions."""
    known: list[str] = []
    symbols = {f"y.{name}": f"y{i}" for i, name in enumerate(problem.equations.states)}
    symbols |= {f"p.{name}": f"p{i}" for i, name in enumerate(problem.equations.parameters)}
    for operation, operands in problem.equations.operations:
        if operation == "constant":
            known.append(
                f'<cn type="real"> {operands!r} </cn>'.replace("e-", "</e>-")
                if False
                else number(operands)
            )
            continue
        if operation == "symbol":
            known.append(f"<ci> {symbols[operands]} </ci>" if operands in symbols else TIME)
            continue
        a = [known[i] for i in operands]
        if operation == "reciprocal":
            known.append(f"<apply><divide/>{number(1.0)}{a[0]}</apply>")
        elif operation == "hill":
            ratio = f"<apply><divide/>{a[1]}{a[0]}</apply>"
            known.append(
                f"<apply><divide/>{number(1.0)}<apply><plus/>{number(1.0)}"
                f"<apply><power/>{ratio}{a[2]}</apply></apply></apply>"
            )
        elif operation == "where":
            known.append(
                f"<piecewise><piece>{a[1]}{a[0]}</piece><otherwise>{a[2]}</otherwise></piecewise>"
            )
        elif operation in ("minimum", "maximum"):
            first, second = (a[0], a[1]) if operation == "minimum" else (a[1], a[0])
            known.append(
                f"<piecewise><piece>{a[0]}<apply><lt/>{first}{second}</apply></piece>"
                f"<otherwise>{a[1]}</otherwise></piecewise>"
            )
        else:
            known.append(f"<apply><{MATHML[operation]}/>{''.join(a)}</apply>")
    return [known[k] for k in problem.equations.derivatives]


def number(value: float) -> str:
    """A MathML number."""
    mantissa, _, exponent = repr(float(value)).partition("e")
    if exponent:
        return f'<cn type="e-notation"> {mantissa} <sep/> {int(exponent)} </cn>'
    return f'<cn type="real"> {mantissa} </cn>'


TIME = (
    '<csymbol encoding="text" definitionURL="http://www.sbml.org/sbml/symbols/time"> t </csymbol>'
)


def sbml(problem: Problem) -> str:
    """The problem as an SBML document."""
    parameters = "".join(
        f'<parameter id="y{i}" value="0" constant="false"/>' for i in range(problem.n_states)
    ) + "".join(
        f'<parameter id="p{i}" value="1" constant="true"/>'
        for i in range(len(problem.equations.parameters))
    )
    rules = "".join(
        f'<rateRule variable="y{i}"><math xmlns="http://www.w3.org/1998/Math/MathML">{tree}</math></rateRule>'
        for i, tree in enumerate(mathml(problem))
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1">'
        f'<model id="benchmark"><listOfParameters>{parameters}</listOfParameters>'
        f"<listOfRules>{rules}</listOfRules></model></sbml>"
    )


class Solver:
    """One compiled model, given the values of one patient after the other."""

    def __init__(self, problem: Problem, method: str) -> None:
        self.problem = problem
        self.runner = roadrunner.RoadRunner(sbml(problem))
        self.runner.setIntegrator(method)
        self.names = [f"y{i}" for i in range(problem.n_states)]
        self.runner.timeCourseSelections = self.names
        ids = list(self.runner.model.getGlobalParameterIds())
        self.positions = [ids.index(name) for name in self.names]
        self.positions += [ids.index(f"p{i}") for i in range(len(problem.equations.parameters))]

    def solve(self, y0: Array, p: Array, rtol: float) -> Array:
        """Solutions at the saved points."""
        problem, runner, model = self.problem, self.runner, self.runner.model
        n = problem.n_states
        integrator = runner.integrator
        integrator.setValue("relative_tolerance", rtol)
        integrator.setValue("absolute_tolerance", 1e-6 * rtol)
        integrator.setValue("maximum_num_steps", 1_000_000)
        solution = np.full((len(y0), len(problem.times), n), np.nan)
        for i, start in enumerate(y0):
            values = np.concatenate((start, p[i]))
            for segment, points in problem.pieces():
                for state, amount in segment.add.items():
                    values[state] += amount
                for parameter, value in segment.set.items():
                    values[n + parameter] = value
                times = problem.times[points]
                inside = times[times > segment.start]
                last = [segment.stop] if not len(inside) or inside[-1] < segment.stop else []
                grid = np.concatenate(([segment.start], inside, last))
                model.setGlobalParameterValues(self.positions, values)
                model.setTime(segment.start)
                integrator.restart(segment.start)
                # One point a day, start and end included: no list of times is passed one by one.
                even = np.allclose(np.diff(grid), grid[1] - grid[0])
                done = np.asarray(
                    runner.simulate(grid[0], grid[-1], len(grid))
                    if even
                    else runner.simulate(times=grid.tolist())
                )
                first = 0 if len(inside) < len(times) else 1
                solution[i, points] = done[first : first + len(times)]
                values[:n] = done[-1]
        return solution
