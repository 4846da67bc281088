"""The first run: what it compiles, where, and what it says meanwhile."""

from __future__ import annotations

import importlib
import logging
import operator
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numba.core import utils
from numba.core.registry import cpu_target
from numba.core.target_extension import get_local_target

from carsim import load_model, simulate
from carsim.cli.progress import progress
from carsim.engine import warm
from carsim.engine.jit import COUNT, VECTOR, inner, kernel
from carsim.engine.pack import PACK
from carsim.kernels import compile as kernels
from carsim.kernels.cache import ENVIRONMENT
from carsim.therapy import Rule

DRIVING, RULING, REDUCING, STEPPING = (module for module, _ in warm.PARTS.values())
Process = subprocess.Popen[bytes]


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Modules that are compiled here, on a cold cache, without other processes."""
    found: list[str] = []
    monkeypatch.setattr(warm, "_is_missing", lambda part: True)
    monkeypatch.setattr(warm, "_helper", lambda queue: [])
    monkeypatch.setattr(importlib, "import_module", found.append)
    return found


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    """Other processes that are started, on what seems a cold cache."""
    found: list[Process] = []
    helper = warm._helper

    def noted(queue: int) -> list[Process]:
        found.extend(helper(queue))
        return found[-1:]

    monkeypatch.setattr(warm, "_is_missing", lambda part: True)
    monkeypatch.setattr(warm, "_helper", noted)
    monkeypatch.setattr(warm, "available_processors", lambda: 3)
    return found


@pytest.mark.parametrize(
    ("needs", "modules"),
    [
        ({}, {DRIVING, STEPPING}),
        ({"rules": True}, {DRIVING, STEPPING, RULING}),
        ({"reductions": True}, {DRIVING, STEPPING, REDUCING}),
        ({"rules": True, "reductions": True}, {DRIVING, STEPPING, RULING, REDUCING}),
    ],
)
def test_only_what_a_run_needs_is_compiled(
    imported: list[str], needs: dict[str, bool], modules: set[str]
) -> None:
    with warm.compiling(**needs):
        assert imported == []
    assert set(imported) == modules
    assert len(imported) == len(modules)


def test_a_simulation_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, bool]] = []
    compiling = warm.compiling

    def noted(**needs: bool) -> Any:
        asked.append(needs)
        return compiling(**needs)

    monkeypatch.setattr(warm, "compiling", noted)
    options: dict[str, Any] = {"stop": 1.0, "save_at": [1.0], "outputs": ["transgene"]}
    simulate("stein_2019", **options)
    simulate("stein_2019", therapy={"look": Rule("transgene", above=1e99, do=())}, **options)
    assert [each["rules"] for each in asked] == [False, True]
    assert not any(each["reductions"] for each in asked)


def test_what_is_not_needed_is_not_even_loaded() -> None:
    script = f"""
import sys
import carsim
carsim.simulate("stein_2019", stop=1.0, save_at=[1.0])
assert {DRIVING!r} in sys.modules
assert {RULING!r} not in sys.modules
assert {REDUCING!r} not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)


def test_each_portion_is_taken_once_by_whoever_has_nothing_to_do() -> None:
    queue = warm._queue([3, 1, 2])
    other = os.dup(queue)
    taken = [os.read(queue, 1), os.read(other, 1), os.read(queue, 1)]
    assert taken == [b"\3", b"\1", b"\2"]
    assert os.read(other, 1) == os.read(queue, 1) == b""
    os.close(queue)
    os.close(other)


def test_others_help_and_are_gone_in_the_end(processes: list[Process]) -> None:
    """One process fewer than there are processors; what they compile is compiled here by now."""
    with warm.compiling():
        assert len(processes) == 2
    assert all(process.returncode is not None for process in processes)


def test_an_interrupt_leaves_no_process(processes: list[Process]) -> None:
    with pytest.raises(KeyboardInterrupt), warm.compiling(rules=True):
        raise KeyboardInterrupt
    assert len(processes) == 2
    assert all(process.returncode is not None for process in processes)


def test_a_helper_ends_with_the_process_that_wants_it() -> None:
    """Also when that one is killed: the helper waits for a portion, and nobody gives any."""
    queue, entry = os.pipe()
    (helper,) = warm._helper(queue)
    assert helper.stdin is not None
    time.sleep(0.1)
    assert helper.poll() is None
    helper.stdin.close()
    assert helper.wait(timeout=120) == 1
    os.close(queue)
    os.close(entry)


def test_one_line_says_what_takes_a_while(
    imported: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Before anything is compiled, and not a second time for the equations."""
    with warm.compiling():
        (line,) = caplog.messages
        warm.tell("the equations of this_2001")
    assert caplog.messages == [line]
    assert line.startswith("carsim compiles the engine, once on this machine")


def test_equations_that_are_new_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stopped(name: str, text: str) -> Any:
        raise InterruptedError(name)

    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    monkeypatch.setattr(kernels, "load_generated", stopped)
    with pytest.raises(InterruptedError):
        kernels.compile_model.__wrapped__(load_model("stein_2019"))
    (line,) = caplog.messages
    assert line.startswith("carsim compiles the equations of stein_2019, once on this machine")


def test_nothing_is_said_when_all_is_compiled(caplog: pytest.LogCaptureFixture) -> None:
    options: dict[str, Any] = {"stop": 1.0, "save_at": [1.0], "therapy": {}}
    simulate("stein_2019", **options)
    caplog.clear()
    kernels.compile_model.cache_clear()
    simulate("stein_2019", **options)
    assert caplog.messages == []


def test_quiet_commands_do_not_say_it_either(caplog: pytest.LogCaptureFixture) -> None:
    with progress("patients", quiet=True):
        warm.tell("nothing")
    assert caplog.messages == []
    warm.tell("something")
    assert caplog.messages == ["carsim compiles something."]
    assert logging.getLogger("carsim").level == logging.NOTSET


def test_functions_inside_others_are_not_made_to_run_alone() -> None:
    """No wrapper and no machine code of their own: numba's private ways, should they change."""

    @inner
    def twice(x: float) -> float:
        return 2.0 * x

    @kernel(numba.types.void(COUNT, VECTOR))
    def all_twice(n: int, x: Any) -> None:
        for i in range(n):
            x[i] = twice(x[i])

    x = np.arange(3.0)
    all_twice(3, x)
    np.testing.assert_array_equal(x, [0.0, 2.0, 4.0])
    (compiled,) = twice.overloads.values()  # type: ignore[attr-defined]
    names = [function.name for function in compiled.library.get_defined_functions()]
    assert len(names) == 1
    assert not compiled.library._codegen._engine.is_symbol_defined(names[0])


@pytest.mark.parametrize("operation", [operator.add, operator.mul, operator.truediv, operator.le])
def test_operators_on_packs_are_looked_up_first(operation: Any) -> None:
    """numba tries the meanings of an operator in turn, for each of thousands in a kernel."""

    context = cpu_target.typing_context
    context.refresh()
    templates = context.resolve_value_type(operation).templates
    order: Any = utils.order_by_target_specificity
    target: Any = get_local_target
    first = order(target(context), templates)[0]
    assert any(PACK in case.args for case in first.cases)
