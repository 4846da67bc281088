"""What the compiled engine does to the machine: no reference counts, no subnormal numbers."""

from __future__ import annotations

import platform
import re
from typing import Any

import numpy as np
import pytest

from carsim import Solver, load_model
from carsim.engine import compiled
from carsim.engine.driving import compiled_drive
from carsim.engine.jit import INTEGERS, VECTOR, kernel
from carsim.engine.reducing import compiled_reductions
from carsim.engine.ruling import compiled_rules
from carsim.engine.subnormals import FLUSHES, exchange_flags
from carsim.kernels import compile_model
from carsim.simulation import simulate


def assembly(function: Any) -> str:
    """Machine code of a compiled function, found in the cache or not."""
    (only,) = function.overloads.values()
    library = only.library
    return str(library.codegen._tm.emit_assembly(library._get_module_for_linking()))


ENGINE = {
    "start": compiled.compiled_start,
    "step": compiled.compiled_step,
    "drive": compiled_drive,
    "rules": compiled_rules,
    "reductions": compiled_reductions,
}


ALLOCATE = ("driver5drive", "driver11_make_lanes", "driver5_room", "driver4_row", "NRT_")


@pytest.mark.parametrize("name", ENGINE)
def test_the_engine_counts_no_references(name: str) -> None:
    """But for what makes the arrays of a thread, once: the loop is a function of its own."""
    functions = re.split(r"\.type\t(?=\S+,@function)", assembly(ENGINE[name]))[1:]
    assert functions
    titles = [text.partition(",")[0] for text in functions]
    assert name != "drive" or any("driver6_drive" in title for title in titles)
    for title, text in zip(titles, functions, strict=True):
        if not any(part in title for part in ALLOCATE):
            assert "NRT_" not in text, title


def test_kernels_count_no_references() -> None:
    program = compile_model(load_model("leon_triana_2021"))
    observe = program.observing(tuple(range(program.n_observables)))
    for function in (
        program.derive, program.rhs, program.jacobian, program.time_derivative, program.switch,
        program.factor, program.solve, observe,
    ):  # fmt: skip
        assert "NRT_" not in assembly(function)


@kernel((INTEGERS, VECTOR))
def products(given: Any, out: Any) -> None:
    """The product of two numbers with the flags set, and restored."""
    before = exchange_flags(-1)
    out[0] = out[3] * out[4]
    given[0] = before
    exchange_flags(before)
    out[1] = out[3] * out[4]


@pytest.mark.skipif(not FLUSHES, reason=f"subnormals are left alone on {platform.machine()}")
def test_subnormals_are_flushed_and_the_processor_is_as_before() -> None:
    given, out = np.zeros(1, dtype=np.int64), np.array([1.0, 1.0, 0.0, 1e-200, 1e-115])
    products(given, out)
    assert out[0] == 0.0
    assert out[1] == 1e-200 * 1e-115 > 0.0


def test_the_driver_leaves_the_callers_arithmetic_alone() -> None:
    """The driver runs in threads of its own; a caller's subnormals survive a simulation."""
    simulate("leon_triana_2021", stop=10.0, save_at=[10.0], solver=Solver(threads=1))
    assert np.float64(1e-200) * np.float64(1e-115) > 0.0
