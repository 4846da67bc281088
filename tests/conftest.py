"""Shared by all tests: markers from the path, one run a model, the reference suites."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# In CI the same cases are drawn every time, so that a failure there is the doing of the change; at
# a desk new ones are drawn.
# What a draw costs depends on what else the machine does, and says nothing of the strategy.
SLOW = [hypothesis.HealthCheck.too_slow]
hypothesis.settings.register_profile("desk", suppress_health_check=SLOW)
hypothesis.settings.register_profile("ci", derandomize=True, suppress_health_check=SLOW)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "desk")

HERE = Path(__file__).resolve().parent
ROOMS = ("unit", "order", "models", "verification", "fuzz")
SUITES = Path(os.environ.get("CARSIM_SUITES", HERE.parent.parent / "shared" / "suites"))

skipped_for_suites: list[str] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the name of its folder, so that `-m unit` needs no line in any file."""
    for item in items:
        try:
            room = item.path.relative_to(HERE).parts[0]
        except ValueError:
            continue
        item.add_marker(room if room in ROOMS else "packaging")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `model_name` once for every published model."""
    if "model_name" in metafunc.fixturenames:
        from carsim.registry import list_models

        metafunc.parametrize("model_name", list_models())


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    """Close what a test has drawn, so that none pays for the figures of another."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(scope="session")
def suites(request: pytest.FixtureRequest) -> Path:
    """Folder of reference outputs computed elsewhere; they are not part of this repository."""
    if not SUITES.is_dir():
        skipped_for_suites.append(request.node.name)
        pytest.skip(f"NO REFERENCE SUITES at {SUITES}; set CARSIM_SUITES to their folder")
    return SUITES


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout; tests that need it are skipped where only `tests/` was copied."""
    root = HERE.parent
    if not (root / "pyproject.toml").is_file():
        pytest.skip("runs in a checkout only")
    return root


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it once more at the end: a green run without the suites has checked less."""
    if skipped_for_suites:
        terminalreporter.write_sep("!", "reference suites not found", yellow=True, bold=True)
        terminalreporter.write_line(
            f"{SUITES} does not exist: every test against them was skipped. Set CARSIM_SUITES."
        )
