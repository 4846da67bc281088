"""Optimal choices against tables by hand, closed forms, brute force and exact bootstrap laws."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom

from carsim.endpoints import (
    optimal_choice,
    optimal_duration,
    switching_points,
    tango_interval,
    wilson_interval,
)
from carsim.errors import ScenarioError


def nested(counts: list[int], n: int) -> NDArray[np.float64]:
    """Events (n, K): the first k patients have it under each option; fully common numbers."""
    return (np.arange(n)[:, np.newaxis] < np.array(counts)).astype(np.float64)


def table(counts: list[int], n: int = 100) -> xr.DataArray:
    return xr.DataArray(
        nested(counts, n),
        dims=("patient", "duration"),
        coords={
            "duration": ("duration", 30.0 * np.arange(len(counts)), {"units": "day"}),
            "patient": np.arange(n),
        },
        name="hbv_reactivation",
    )


def test_losses_by_hand() -> None:
    found = optimal_duration(table([20, 8, 6]), "duration", loss_per_event=500.0)
    assert found["cost"].values.tolist() == [0.0, 30.0, 60.0]
    assert found["loss"].values == pytest.approx([100.0, 70.0, 90.0])
    assert found["excess"].values == pytest.approx([30.0, 0.0, 20.0])
    assert float(found["best"]) == 30.0
    assert found["loss"].attrs["units"] == "day"
    lower, upper = wilson_interval([20, 8, 6], 100)
    assert found["loss_upper"].values == pytest.approx(500 * upper + [0, 30, 60])
    assert found["loss_lower"].values == pytest.approx(500 * lower + [0, 30, 60])
    # Paired: 12 patients have it without treatment only, 2 only at 30 days but not at 60.
    low, high = tango_interval([12, 0], [0, 2], 100)
    assert found["excess_lower"].values[[0, 2]] == pytest.approx(500 * low + [-30, 30])
    assert found["excess_upper"].values[[0, 2]] == pytest.approx(500 * high + [-30, 30])
    assert found.attrs["replicates"] == 4000


def test_a_duration_in_hours_costs_its_days() -> None:
    values = table([20, 8]).assign_coords(duration=("duration", [0.0, 24.0], {"units": "hour"}))
    found = optimal_duration(values, "duration", loss_per_event=1.0, loss_per_day=12.0, unit="EUR")
    assert found["cost"].values == pytest.approx([0.0, 12.0])
    assert found["cost"].attrs["units"] == "EUR"


def test_probability_of_being_best_has_the_law_of_the_bootstrap() -> None:
    """Two options that differ in 12 of 100 patients: exactly a binomial tail, ties halved."""
    found = optimal_choice(
        table([20, 8]),
        "duration",
        cost=[0.0, 10.0],
        loss_per_event=100.0,
        replicates=40_000,
        seed=3,
    )
    # The second is best where more than 10 of 100 drawn patients are among the 12.
    law = binom(100, 0.12)
    expected = law.sf(10) + 0.5 * law.pmf(10)
    sd = np.sqrt(expected * (1 - expected) / 40_000)
    assert abs(float(found["probability_best"][1]) - expected) < 4 * sd
    assert float(found["probability_best"].sum()) == pytest.approx(1.0)


def test_probability_best_is_reproducible_and_does_not_depend_on_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(seed: int = 1) -> xr.Dataset:
        return optimal_choice(
            table([20, 15, 14]), "duration", cost=[0, 4, 6], loss_per_event=100.0, seed=seed
        )

    whole = run()
    xr.testing.assert_identical(run(), whole)
    assert not run(seed=2)["probability_best"].equals(whole["probability_best"])
    monkeypatch.setattr("carsim.endpoints.decisions._MOST_NUMBERS", 50)
    xr.testing.assert_allclose(run(), whole, rtol=0, atol=1e-12)


def test_order_of_the_patients_does_not_matter() -> None:
    values = table([20, 15, 14])
    order = np.random.default_rng(0).permutation(100)
    options = {"cost": [0, 4, 6], "loss_per_event": 100.0}
    xr.testing.assert_identical(
        optimal_choice(values.isel(patient=order), "duration", **options),  # type: ignore[arg-type]
        optimal_choice(values, "duration", **options),  # type: ignore[arg-type]
    )


def test_pairs_leave_out_a_patient_who_failed_anywhere() -> None:
    values = table([20, 8, 6])
    values[0, 2] = np.nan
    found = optimal_duration(values, "duration", loss_per_event=500.0)
    assert (int(found["n"]), int(found["excluded"])) == (99, 1)
    assert found["risk"].values == pytest.approx([19 / 99, 7 / 99, 5 / 99])
    nobody = optimal_duration(values * np.nan, "duration", loss_per_event=500.0)
    assert np.isnan(nobody["best"])
    assert np.isnan(nobody["probability_best"]).all()


def test_several_losses_and_other_dimensions() -> None:
    one = table([20, 8, 6])
    values = xr.concat([one, table([1, 1, 1])], "serostatus").assign_coords(
        serostatus=["positive", "negative"], duration=one["duration"]
    )
    worth = [0.0, 100.0, 500.0, 1e6]
    found = optimal_duration(values, "duration", loss_per_event=worth)
    assert found["loss"].dims == ("serostatus", "loss_per_event", "duration")
    assert found["best"].sel(serostatus="positive").values.tolist() == [0.0, 0.0, 30.0, 60.0]
    # Equal risks: the cheapest, whatever an event is worth.
    assert found["best"].sel(serostatus="negative").values.tolist() == [0.0] * 4
    alone = optimal_duration(one, "duration", loss_per_event=500.0)
    picked = found.sel(serostatus="positive", loss_per_event=500.0)
    for name in ("loss", "excess", "excess_lower", "risk"):
        np.testing.assert_allclose(picked[name].values, alone[name].values)


def test_costs_by_label() -> None:
    values = table([20, 8]).assign_coords(duration=["none", "year"])
    found = optimal_choice(
        values, "duration", cost={"year": 365.0, "none": 0.0}, loss_per_event=1000.0
    )
    assert str(found["best"].values) == "none"
    with pytest.raises(ScenarioError, match="Did you mean 'year'"):
        optimal_choice(values, "duration", cost={"yaer": 1.0}, loss_per_event=1.0)
    with pytest.raises(ScenarioError, match="no cost is given of none"):
        optimal_choice(values, "duration", cost={"year": 1.0}, loss_per_event=1.0)
    with pytest.raises(ScenarioError, match=r"'duration' is in \[\] and must hold numbers"):
        optimal_duration(values, "duration", loss_per_event=1.0)
    plain = table([20, 8])
    plain["duration"].attrs["units"] = "1"
    with pytest.raises(ScenarioError, match=r"'duration' is in \[1\]"):
        optimal_duration(plain, "duration", loss_per_event=1.0)
    with pytest.raises(ScenarioError, match="one finite number for each of the 2 options"):
        optimal_choice(values, "duration", cost=[1.0], loss_per_event=1.0)
    with pytest.raises(ScenarioError, match="none below 0"):
        optimal_choice(values, "duration", cost=[1.0, 2.0], loss_per_event=-1.0)
    with pytest.raises(ScenarioError, match="Did you mean 'duration'"):
        optimal_choice(values, "durations", cost=[1.0, 2.0], loss_per_event=1.0)


# Switching points


def test_switching_points_by_hand() -> None:
    """20 %, 8 %, 6 % at 0, 30, 60 days: 30/0.12 = 250, then 30/0.02 = 1500 days an event."""
    points = switching_points(optimal_duration(table([20, 8, 6]), "duration", loss_per_event=1.0))
    assert points["option"].values.tolist() == [0.0, 30.0, 60.0]
    assert points["starts"].values == pytest.approx([0.0, 250.0, 1500.0])
    assert points["stops"].values == pytest.approx([250.0, 1500.0, np.inf])
    assert points["starts"].attrs["units"] == "day"


def test_an_option_above_the_hull_is_never_best() -> None:
    points = switching_points(
        optimal_duration(table([20, 19, 6, 6]), "duration", loss_per_event=1.0)
    )
    assert points["option"].values.tolist() == [0.0, 60.0]


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 30)), min_size=1, max_size=7),
    st.floats(0.0, 200.0),
)
def test_switching_points_name_the_best_option(
    options: list[tuple[int, int]], worth: float
) -> None:
    risk, cost = np.array(options).T / [[50.0], [1.0]]
    choice = xr.Dataset(
        {"risk": ("option", risk), "cost": ("option", cost)},
        coords={"option": np.arange(risk.size)},
        attrs={"over": "option"},
    )
    points = switching_points(choice)
    starts, stops = points["starts"].values, points["stops"].values
    here = int(np.flatnonzero((starts <= worth) & (worth <= stops))[0])
    best = worth * points["risk"].values[here] + points["cost"].values[here]
    assert best == pytest.approx((worth * risk + cost).min())
    assert (np.diff(starts) > 0).all()
    assert (np.diff(points["risk"].values) < 0).all()
    assert (np.diff(points["cost"].values) > 0).all()


def test_switching_points_need_one_cell() -> None:
    values = xr.concat([table([20, 8])] * 2, "serostatus")
    with pytest.raises(ScenarioError, match="also varies along serostatus"):
        switching_points(optimal_duration(values, "duration", loss_per_event=1.0))
