"""Sensitivity indices against closed forms, independent formulas and properties."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from carsim.design import Axis
from carsim.errors import CarsimError, ScenarioError
from carsim.sensitivity import (
    MorrisTrajectories,
    Saltelli,
    design_hash,
    morris,
    patient_prcc,
    prcc,
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
    found: Array = np.sin(x[:, 0]) + 7.0 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])
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
    results = [morris(MorrisTrajectories(axes(5), 10, seed), lambda x: x.prod(axis=1)) for _ in "ab"]
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


# Partial rank correlations


def sample(n: int = 200, d: int = 5, seed: int = 1) -> tuple[dict[str, Array], Array]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    x[:, 1] += 0.8 * x[:, 0]
    x[:, 2] = np.round(x[:, 2])  # ties
    y = np.exp(x[:, 0]) - x[:, 1] ** 3 + rng.normal(size=n)
    return {f"x{k}": x[:, k] for k in range(d)}, y


def by_residuals(x: Array, y: Array, k: int) -> tuple[float, int]:
    """Least squares on the ranks, one factor at a time."""
    ranks, rank = stats.rankdata(x, axis=0), stats.rankdata(y)
    others = np.column_stack([np.ones(len(y)), np.delete(ranks, k, axis=1)])
    left = ranks[:, k] - others @ np.linalg.lstsq(others, ranks[:, k], rcond=None)[0]
    output = rank - others @ np.linalg.lstsq(others, rank, rcond=None)[0]
    return float(stats.pearsonr(left, output).statistic), len(y) - 1 - others.shape[1]


def by_inverse(x: Array, y: Array) -> Array:
    """From the inverse of the rank correlation matrix."""
    precision = np.linalg.inv(stats.spearmanr(np.column_stack([x, y])).statistic)
    d = x.shape[1]
    found: Array = -precision[:d, d] / np.sqrt(np.diag(precision)[:d] * precision[d, d])
    return found


def test_prcc_equals_residual_regression_and_the_inverse_of_the_matrix() -> None:
    factors, y = sample()
    x = np.column_stack(list(factors.values()))
    found = one(prcc(factors, y), "prcc")
    residual = [by_residuals(x, y, k)[0] for k in range(x.shape[1])]
    np.testing.assert_allclose(found, residual, atol=1e-12)
    np.testing.assert_allclose(found, by_inverse(x, y), atol=1e-12)


def test_p_values_and_intervals_follow_from_the_coefficient() -> None:
    """p as of the coefficient in a regression on ranks; Fisher's z with n - k - 3."""
    factors, y = sample(40, 3)
    x = np.column_stack(list(factors.values()))
    found = prcc(factors, y, level=0.9)
    ranks = np.column_stack([np.ones(40), stats.rankdata(x, axis=0)])
    rank = stats.rankdata(y)
    slope, rss, *_ = np.linalg.lstsq(ranks, rank, rcond=None)
    error = np.sqrt(np.diag(np.linalg.inv(ranks.T @ ranks)) * rss[0] / (40 - 4))
    expected = 2.0 * stats.t.sf(np.abs(slope / error), 40 - 4)[1:]
    np.testing.assert_allclose(one(found, "p_value"), expected, rtol=1e-9)
    half = stats.norm.ppf(0.95) / np.sqrt(40 - 2 - 3)
    for name, sign in (("prcc_lower", -1.0), ("prcc_upper", 1.0)):
        edge = np.tanh(np.arctanh(one(found, "prcc")) + sign * half)
        np.testing.assert_allclose(one(found, name), edge, rtol=1e-12)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Independent factors and output: the coefficient is zero, and p is uniform."""
    rng = np.random.default_rng(12)
    runs = [
        prcc({"a": rng.random(30), "b": rng.random(30)}, rng.random(30)).isel(factor=0, output=0)
        for _ in range(400)
    ]
    held = np.mean([float(run.prcc_lower) <= 0.0 <= float(run.prcc_upper) for run in runs])
    assert abs(held - 0.95) < 3.0 * np.sqrt(0.95 * 0.05 / 400)
    assert stats.kstest([float(run.p_value) for run in runs], "uniform").pvalue > 0.01


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([np.exp, np.arctan, lambda v: v**3, lambda v: 5 * v]))
def test_monotone_transformations_change_nothing(seed: int, transform: Any) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-2.0, 2.0, (30, 3)), rng.uniform(-2.0, 2.0, 30)
    plain = {f"x{k}": x[:, k] for k in range(3)}
    moved = {**plain, "x1": transform(x[:, 1])}
    names = ["prcc", "prcc_lower", "prcc_upper", "p_value"]
    before = prcc(plain, y)[names]
    xr.testing.assert_equal(before, prcc(moved, transform(y))[names])
    falling = prcc({**plain, "x1": -x[:, 1]}, y)
    np.testing.assert_allclose(one(falling, "prcc"), one(before, "prcc") * [1, -1, 1], atol=1e-12)


def test_missing_outputs_are_left_out_and_counted() -> None:
    factors, y = sample()
    y[[3, 77]] = np.nan
    kept = np.isfinite(y)
    found = prcc(factors, {"y": y, "z": np.arange(200.0)})
    alone = prcc({name: values[kept] for name, values in factors.items()}, y[kept])
    np.testing.assert_array_equal(found.prcc.sel(output="y"), one(alone, "prcc"))
    assert found.n.values.tolist() == [198, 200]
    assert found.left_out.values.tolist() == [2, 0]


def test_what_has_no_coefficient_is_nan_with_the_reason() -> None:
    factors, y = sample()
    more = {**factors, "same": np.full(200, 3.0), "twin": np.exp(factors["x3"])}
    found = prcc(more, {"y": y, "flat": np.ones(200), "nothing": np.full(200, np.nan)})
    why = found.why.to_pandas()
    assert why.loc["same", "y"] == "the factor is constant"
    assert why.loc["twin", "y"] == why.loc["x3", "y"] == "the factor is determined by the others"
    assert set(why["flat"]) == {"the output is constant"}
    assert set(why["nothing"]) == {"the output has no value"}
    np.testing.assert_array_equal(np.isnan(found.prcc), found.why != "")
    # The twins are one direction: what they leave for the others is as without one of them.
    kept = [name for name in factors if name != "x3"]
    one_of_them = prcc(factors, y).prcc.sel(factor=kept, output="output")
    np.testing.assert_allclose(found.prcc.sel(factor=kept, output="y"), one_of_them, atol=1e-12)


def test_a_monotone_output_has_coefficient_one() -> None:
    rng = np.random.default_rng(3)
    x = rng.random((20, 2))
    found = prcc({"a": x[:, 0]}, np.exp(x[:, 0]))
    assert one(found, "prcc")[0] == pytest.approx(1.0, abs=1e-12)
    both = prcc({"a": x[:, 0], "b": x[:, 1]}, np.exp(x[:, 0]))
    assert both.why.values[1, 0] == "the output is determined by the other factors"


def test_groups_are_taken_out_like_indicator_columns() -> None:
    factors, y = sample(60, 3)
    groups = np.array(["a", "b", "c"])[np.arange(60) % 3]
    y = y + 10.0 * (groups == "b")
    found = prcc(factors, y, groups=groups)
    x = np.column_stack(list(factors.values()))
    ranks = np.column_stack([stats.rankdata(x, axis=0), groups == "b", groups == "c", np.ones(60)])
    rank = stats.rankdata(y)
    for k in range(3):
        others = np.delete(ranks, k, axis=1)
        left = ranks[:, k] - others @ np.linalg.lstsq(others, ranks[:, k], rcond=None)[0]
        output = rank - others @ np.linalg.lstsq(others, rank, rcond=None)[0]
        r = stats.pearsonr(left, output).statistic
        assert one(found, "prcc")[k] == pytest.approx(r, abs=1e-12)
        freedom = 60 - 2 - 2 - 2
        p = 2.0 * stats.t.sf(abs(r) * np.sqrt(freedom / (1.0 - r**2)), freedom)
        assert one(found, "p_value")[k] == pytest.approx(p, rel=1e-9)


@pytest.mark.parametrize(
    ("factors", "values", "message"),
    [
        ({}, np.ones(3), r"there is no factor"),
        ({"a": ["x", "y", "z"]}, np.ones(3), r"Labels have no rank: give them as groups"),
        ({"a": np.ones(3), "b": np.ones(4)}, np.ones(3), r"'b' has 4 rows, the first 3"),
        ({"a": [1.0, np.nan, 2.0]}, np.ones(3), r"'a' has values that are not finite"),
        ({"a": np.ones(3)}, np.ones(4), r"shape \(4,\), but there are 3 rows"),
        ({"a": np.ones(3)}, [1.0, np.inf, 2.0], r"infinite values"),
    ],
)
def test_prcc_refuses_wrong_tables(factors: Any, values: Any, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        prcc(factors, values)


# Patients of a sweep


def a_sweep() -> xr.Dataset:
    rng = np.random.default_rng(8)
    x = rng.random((50, 2))
    risk = np.where(rng.random((3, 50)) < x[:, 0], 1.0, 0.0)
    risk[1, 4] = np.nan
    return xr.Dataset(
        {"event": (("dose", "patient"), risk, {"long_name": "event", "carsim_units": "1"})},
        {
            "dose": ("dose", [1.0, 2.0, 3.0], {"carsim_units": "mg"}),
            "patient": np.arange(50),
            "k": ("patient", x[:, 0], {"long_name": "elimination", "carsim_units": "1/day"}),
            "parameter:event": ("patient", x[:, 1], {"long_name": "other"}),
            "kind": ("patient", np.array(["a", "b"], dtype=object)[np.arange(50) % 2]),
        },
        {"title": "Sweep of a toy", "versions": '{"numba": "1"}'},
    )


def test_patients_of_every_cell_of_a_sweep() -> None:
    dataset = a_sweep()
    found = patient_prcc(dataset, ["event"])
    assert found.prcc.dims == ("dose", "factor", "output")
    assert found.factor.values.tolist() == ["k", "event"]
    assert found.left_out.values.tolist() == [[0], [1], [0]]
    assert found.attrs["taken_out"] == "kind"
    assert str(found.factor_unit.sel(factor="k").values) == "1/day"
    for dose in range(3):
        y = dataset.event.values[dose]
        factors = {"k": dataset.k.values, "event": dataset["parameter:event"].values}
        alone = prcc(factors, y, groups=dataset.kind.values)
        np.testing.assert_allclose(found.prcc[dose], alone.prcc, atol=1e-14)
        np.testing.assert_allclose(found.p_value[dose], alone.p_value, rtol=1e-9)


def test_patient_prcc_names_what_is_missing() -> None:
    dataset = a_sweep()
    with pytest.raises(ScenarioError, match=r"no variable over patients 'evnt'. Did you mean 'ev"):
        patient_prcc(dataset, ["evnt"])
    with pytest.raises(ScenarioError, match=r"no sampled parameter 'kk'"):
        patient_prcc(dataset, ["event"], ["kk"])
    with pytest.raises(ScenarioError, match=r"no dimension 'patient'"):
        patient_prcc(dataset.isel(patient=0), ["event"])
    with pytest.raises(ScenarioError, match=r"no parameter of the patients was sampled"):
        patient_prcc(dataset.drop_vars(["k", "parameter:event"]), ["event"])
