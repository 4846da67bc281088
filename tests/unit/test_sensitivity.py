"""Sobol indices and elementary effects against closed forms."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from carsim.design import Axis
from carsim.errors import CarsimError, ScenarioError
from carsim.sensitivity import (
    MorrisTrajectories,
    Saltelli,
    design_hash,
    morris,
    sobol,
)

Array = NDArray[np.float64]
PI = np.pi


def axes(n: int, low: float = 0.0, high: float = 1.0) -> list[Axis]:
    return [Axis(f"parameters.x{k}", low=low, high=high) for k in range(n)]


def one(found: xr.Dataset, name: str) -> Array:
    return np.asarray(found[name].values[:, 0], dtype=np.float64)


# Sobol indices


def ishigami(x: Array) -> Array:
    """T. Ishigami, T. Homma (1990), with a = 7 and b = 0.1."""
    found: Array = (
        np.sin(x[:, 0]) + 7.0 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])
    )
    return found


def ishigami_indices() -> tuple[Array, Array]:
    """Closed form: integrals of powers and sines over (-pi, pi)."""
    a, b = 7.0, 0.1
    first = np.array([0.5 * (1.0 + b * PI**4 / 5.0) ** 2, a**2 / 8.0, 0.0])
    both = b**2 * PI**8 * (1.0 / 18.0 - 1.0 / 50.0)
    total = first + np.array([both, 0.0, both])
    return first / (first.sum() + both), total / (first.sum() + both)


@pytest.mark.parametrize("seed", [0, 20261122])
def test_ishigami_within_a_hundredth(seed: int) -> None:
    found = sobol(Saltelli(axes(3, -PI, PI), 2**14, seed), ishigami, resamples=200)
    first, total = ishigami_indices()
    np.testing.assert_allclose(one(found, "first_order"), first, atol=0.01)
    np.testing.assert_allclose(one(found, "total_order"), total, atol=0.01)
    for name, exact in (("first_order", first), ("total_order", total)):
        assert np.all(one(found, f"{name}_lower") <= exact)
        assert np.all(exact <= one(found, f"{name}_upper"))


def test_sobol_g_function() -> None:
    """Product of (|4 x - 2| + a) / (1 + a): partial variances (1 / 3) / (1 + a)^2."""
    a = np.array([0.0, 1.0, 4.5, 9.0])

    def g(x: Array) -> Array:
        return np.asarray(np.prod((np.abs(4.0 * x - 2.0) + a) / (1.0 + a), axis=1))

    found = sobol(Saltelli(axes(4), 2**13, 3), g, resamples=10)
    partial = 1.0 / 3.0 / (1.0 + a) ** 2
    variance = np.prod(1.0 + partial) - 1.0
    total = partial * np.prod(1.0 + partial) / (1.0 + partial) / variance
    np.testing.assert_allclose(one(found, "first_order"), partial / variance, atol=0.01)
    np.testing.assert_allclose(one(found, "total_order"), total, atol=0.01)


def test_indices_do_not_depend_on_scale_and_offset_of_the_output() -> None:
    design = Saltelli(axes(3, -PI, PI), 64, 1)
    table = np.column_stack(list(design.columns(np.arange(design.size)).values()))
    found = sobol(design, {"a": ishigami(table), "b": 1e6 - 3.0 * ishigami(table)})
    for name in ("first_order", "total_order_lower", "first_order_upper"):
        np.testing.assert_allclose(found[name][:, 0], found[name][:, 1], rtol=1e-6, atol=1e-9)


def test_a_log_factor_is_uniform_in_its_logarithm() -> None:
    """Of y = log10(x1) + 2 x2 the variances are those of uniform numbers: 9 / 12 and 4 / 12."""
    factors = [Axis("parameters.a", low=1.0, high=1e3, scale="log"), *axes(1)]
    design = Saltelli(factors, 2**12, 5)
    found = sobol(design, lambda x: np.log10(x[:, 0]) + 2.0 * x[:, 1], resamples=10)
    np.testing.assert_allclose(one(found, "first_order"), [9.0 / 13.0, 4.0 / 13.0], atol=0.01)


def test_the_seed_decides_points_and_intervals() -> None:
    """The bootstrap of scipy's result takes no seed (ours does)."""
    runs = [sobol(Saltelli(axes(3, -PI, PI), 32, seed), ishigami) for seed in (0, 0, 1)]
    xr.testing.assert_identical(runs[0], runs[1])
    assert runs[0].attrs["design_hash"] != runs[2].attrs["design_hash"]
    assert np.all(runs[0].total_order_lower.values != runs[2].total_order_lower.values)


def test_a_constant_output_has_no_indices_and_says_so() -> None:
    found = sobol(Saltelli(axes(2), 8), lambda x: np.ones(len(x)))
    assert np.isnan(found.total_order.values).all()
    assert set(found.why.values.ravel()) == {"the output is the same at all points"}


def test_results_say_how_they_were_made() -> None:
    found = sobol(Saltelli(axes(2), 8, 4), lambda x: x[:, 0], resamples=20)
    assert found.total_order.dims == ("factor", "output")
    for name in ("first_order", "total_order_upper"):
        assert found[name].attrs["units"] == "1"
        assert found[name].attrs["long_name"]
    assert {k: found.attrs[k] for k in ("method", "samples", "simulations", "design_seed")} == {
        "method": "sobol",
        "samples": 8,
        "simulations": 32,
        "design_seed": 4,
    }
    assert found.attrs["design_hash"] == design_hash(Saltelli(axes(2), 8, 4).shares)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Saltelli(axes(2), 100), r"samples = 100 is not a power of two.*Give 64 or 128"),
        (lambda: Saltelli(axes(1), 8), r"one factor, to which all variance is due"),
        (lambda: MorrisTrajectories(axes(2), 1), r"samples = 1\. The spread .* two"),
        (lambda: MorrisTrajectories(axes(2), 4, 0, 3), r"levels = 3 must be an even number"),
        (
            lambda: MorrisTrajectories([Axis("variants.x", values=["a", "b"])], 4),
            r"has labels, which are no distance apart",
        ),
        (lambda: sobol(Saltelli(axes(2), 8), np.ones(9)), r"shape \(9,\).*has 32 points"),
        (
            lambda: sobol(Saltelli(axes(2), 8), {"y": np.r_[np.arange(31.0), np.nan]}),
            r"output 'y' is nan at point 31 \(and at 0 more\)",
        ),
        (
            lambda: sobol(
                Saltelli([*axes(1), Axis("variants.x", values=["a", "b"])], 8), lambda x: x[:, 0]
            ),
            r"'variants.x' has labels, which are no numbers for a function",
        ),
    ],
)
def test_refusals_name_what_would_be_right(make: Any, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        make()


# Elementary effects


def test_effects_of_a_linear_function_are_its_slopes_over_the_range() -> None:
    slopes = np.array([3.0, -2.0, 0.0, 0.5])
    found = morris(MorrisTrajectories(axes(4, -1.0, 4.0), 6, 2), lambda x: x @ slopes + 7.0)
    np.testing.assert_allclose(one(found, "mu"), 5.0 * slopes, atol=1e-12)
    np.testing.assert_allclose(one(found, "mu_star"), 5.0 * np.abs(slopes), atol=1e-12)
    for name in ("mu_star_lower", "mu_star_upper"):
        np.testing.assert_allclose(one(found, name), 5.0 * np.abs(slopes), atol=1e-12)
    np.testing.assert_allclose(one(found, "sigma"), 0.0, atol=1e-12)


def test_an_interaction_is_seen_in_sigma() -> None:
    """The effect of x1 in x1 x2 is x2: uniform on the grid 0, 1/3, 2/3, 1 in the long run."""
    found = morris(MorrisTrajectories(axes(2), 4000, 1), lambda x: x[:, 0] * x[:, 1])
    grid = np.arange(4) / 3.0
    np.testing.assert_allclose(one(found, "mu"), grid.mean(), atol=0.02)
    np.testing.assert_allclose(one(found, "sigma"), grid.std(), atol=0.02)
    width = one(found, "mu_star_upper") - one(found, "mu_star_lower")
    expected = 2.0 * stats.norm.ppf(0.975) * grid.std() / np.sqrt(4000)
    np.testing.assert_allclose(width, expected, rtol=0.1)


@pytest.mark.parametrize("seed", [0, 7])
def test_the_seed_of_the_trajectories_is_honored(seed: int) -> None:
    """Users of SALib have believed so in vain (SALib issues 334 and 412); 0 is a seed, too."""
    state = repr(np.random.get_state())  # noqa: NPY002
    first, again = (MorrisTrajectories(axes(5), 10, seed).shares for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, MorrisTrajectories(axes(5), 10, seed + 1).shares)
    results = [
        morris(MorrisTrajectories(axes(5), 10, seed), lambda x: x.prod(axis=1)) for _ in "ab"
    ]
    xr.testing.assert_identical(*results)
    assert repr(np.random.get_state()) == state  # noqa: NPY002


def test_trajectories_change_one_factor_at_a_time() -> None:
    design = MorrisTrajectories(axes(4), 5, 3)
    steps = np.diff(design.shares.reshape(5, 5, 4), axis=1)
    assert np.all((np.abs(steps) > 1e-9).sum(axis=2) == 1)
    np.testing.assert_allclose(np.abs(steps).sum(axis=2), 2.0 / 3.0)
    assert np.all((np.abs(steps) > 1e-9).sum(axis=1) == 1)


def test_a_missing_salib_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.metadata

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(CarsimError, match=r"pip install 'carsim\[sensitivity\]'"):
        _ = MorrisTrajectories(axes(2), 4).shares


def test_importing_pulls_in_nothing_heavy() -> None:
    code = (
        "import sys, carsim.sensitivity; "
        "print([m for m in ('SALib', 'scipy.stats', 'matplotlib', 'pandas') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
