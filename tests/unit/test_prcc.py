"""Partial rank correlations against independent formulas, and their properties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from carsim.errors import ScenarioError
from carsim.sensitivity import patient_prcc, prcc

Array = NDArray[np.float64]


def one(found: xr.Dataset, name: str) -> Array:
    return np.asarray(found[name].values[:, 0], dtype=np.float64)


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
