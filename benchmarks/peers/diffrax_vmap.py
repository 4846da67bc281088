"""diffrax: one compiled function, patients side by side (`vmap`) or one after the other (`map`)."""

from __future__ import annotations

import os

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
os.environ["JAX_PLATFORMS"] = "cpu"

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.equations import PYTHON
from benchmarks.problem import Array, Problem

jax.config.update("jax_enable_x64", True)

PRINTERS = PYTHON | {
    "both": "jnp.logical_and({0}, {1})",
    "either": "jnp.logical_or({0}, {1})",
    "where": "jnp.where({0}, {1}, {2})",
    "minimum": "jnp.minimum({0}, {1})",
    "maximum": "jnp.maximum({0}, {1})",
}
SIDE_BY_SIDE = {"vmap": 32, "map": 4}
"""Patients in one call. One size always, since every new size is compiled anew."""


class Solver:
    """`method` is the name of a diffrax solver, then `vmap` or `map`: ``Tsit5-vmap``."""

    def __init__(self, problem: Problem, method: str) -> None:
        self.problem = problem
        name, mode = method.split("-")
        self.block = SIDE_BY_SIDE[mode]
        equations = problem.equations
        body, names = equations.lines(equations.derivatives, printers=PRINTERS)
        values = ", ".join(names[k] for k in equations.derivatives)
        source = "\n    ".join(["def field(t, y, p):", *body, f"return jnp.stack([{values}])"])
        namespace = {"jnp": jnp, "exp": jnp.exp, "log": jnp.log, "sqrt": jnp.sqrt, "tanh": jnp.tanh}
        exec(source, namespace)
        term = diffrax.ODETerm(namespace["field"])
        solver = getattr(diffrax, name)()

        def one(y: jax.Array, p: jax.Array, rtol: jax.Array) -> jax.Array:
            pieces = []
            for segment, points in problem.pieces():
                for state, amount in segment.add.items():
                    y = y.at[state].add(amount)
                for parameter, value in segment.set.items():
                    p = p.at[parameter].set(value)
                times = problem.times[points]
                extra = [] if len(times) and times[-1] >= segment.stop else [segment.stop]
                grid = np.concatenate((times, extra))
                done = diffrax.diffeqsolve(
                    term,
                    solver,
                    segment.start,
                    segment.stop,
                    None,
                    y,
                    p,
                    saveat=diffrax.SaveAt(ts=grid),
                    stepsize_controller=diffrax.PIDController(rtol=rtol, atol=1e-6 * rtol),
                    max_steps=1_000_000,
                    adjoint=diffrax.ForwardMode(),
                    throw=False,
                )
                pieces.append(done.ys[: len(times)])
                y = done.ys[-1]
            return jnp.concatenate(pieces)

        if mode == "vmap":
            self.run = jax.jit(jax.vmap(one, in_axes=(0, 0, None)))
        else:
            self.run = jax.jit(lambda y, p, rtol: jax.lax.map(lambda a: one(*a, rtol), (y, p)))

    def solve(self, y0: Array, p: Array, rtol: float) -> Array:
        """Solutions at the saved points."""
        size = self.block
        blocks = []
        for begin in range(0, len(y0), size):
            patients = np.minimum(np.arange(begin, begin + size), len(y0) - 1)
            done = np.asarray(self.run(y0[patients], p[patients], rtol))
            blocks.append(done[: min(size, len(y0) - begin)])
        return np.concatenate(blocks)
