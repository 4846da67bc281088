"""Visual predictive check: binned statistics computed by hand, and what is drawn of them."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from carsim import plots
from carsim.errors import ScenarioError
from carsim.plots.vpc_statistics import bin_edges

# Two bins, [0, 2) and [2, 4]: by hand the percentiles are those of 1, 2, 3, 4, 5 and of 10, 30.
OBSERVED = {
    "time": np.array([0.0, 1.0, 1.0, 1.5, 1.9, 2.0, 4.0, 3.0]),
    "dv": np.array([5.0, 4.0, 3.0, 2.0, 1.0, 10.0, 30.0, np.nan]),
}
# Three replicates, each with the values 1, 2, 3 (times a factor) in the first bin and one in the
# second.
SIMULATED = {
    "time": np.tile([0.5, 1.0, 1.5, 3.0], 3),
    "dv": np.concatenate([np.array([1.0, 2.0, 3.0, 20.0]) * k for k in (1.0, 2.0, 3.0)]),
    "replicate": np.repeat([0, 1, 2], 4),
}


@pytest.fixture
def ax() -> Axes:
    return Figure().subplots()


def courses(n: int = 30, factor: float = 1.0) -> xr.Dataset:
    rng = np.random.default_rng(2)
    time = np.linspace(0.0, 10.0, 21)
    level = factor * np.exp(rng.normal(size=(n, 1)))
    return xr.Dataset(
        {
            "car_t": (
                ("patient", "time"),
                level * np.exp(-0.3 * time),
                {"units": "cell/uL", "long_name": "CAR-T cells"},
            )
        },
        coords={"time": ("time", time, {"units": "day"})},
    )


def trial(days: np.ndarray[tuple[int], np.dtype[np.float64]], n: int = 12) -> dict[str, object]:
    values = courses(n)["car_t"].interp(time=days).values
    return {
        "time": np.tile(days, n),
        "patient": np.repeat(np.arange(n), len(days)),
        "car_t": values.ravel(),
    }


def test_statistics_by_hand() -> None:
    found = plots.vpc_statistics(
        SIMULATED, OBSERVED, "dv", bins=[0.0, 2.0, 4.0], percentiles=(25, 50, 75), level=0.5
    )
    np.testing.assert_allclose(found["observed"], [[2.0, 3.0, 4.0], [15.0, 20.0, 25.0]])
    # Replicates have the medians 2, 4, 6 and 20, 40, 60; half of three lies between the quartiles.
    np.testing.assert_allclose(found["simulated"].sel(percentile=50), [4.0, 40.0])
    np.testing.assert_allclose(found["lower"].sel(percentile=50), [3.0, 30.0])
    np.testing.assert_allclose(found["upper"].sel(percentile=50), [5.0, 50.0])
    # 25th percentile of 1, 2, 3 is 1.5, times 1, 2, 3.
    np.testing.assert_allclose(found["simulated"].sel(percentile=25)[0], 3.0)
    assert found["n"].values.tolist() == [5, 2]
    assert found["time"].values.tolist() == [1.0, 3.0]
    assert found.attrs["missing"] == 1
    assert found.attrs["replicates"] == 3


def test_below_the_limit_counts_as_the_limit() -> None:
    found = plots.vpc_statistics(
        SIMULATED, OBSERVED, "dv", bins=[0.0, 2.0, 4.0], percentiles=(0, 50, 100), limit=2.5
    )
    # 1 and 2 of 1..5 are below: 2.5, 2.5, 3, 4, 5.
    np.testing.assert_allclose(found["observed"][0], [2.5, 3.0, 5.0])
    assert found["below_observed"].values.tolist() == [0.4, 0.0]
    assert found.attrs["below"] == 2
    # 1, 2, 3 then 2, 4, 6 then 3, 6, 9: shares 2/3, 1/3, 0 of the replicates.
    assert found["below_simulated"].values[0] == pytest.approx(1.0 / 3.0)


def test_replicates_of_courses_give_all_their_patients() -> None:
    both = xr.concat([courses(5), courses(5, factor=2.0)], dim="replicate")
    days = np.array([1.25, 5.0])  # 1.25 lies between saved times
    observed = {"time": days, "car_t": np.ones(2)}
    found = plots.vpc_statistics(both, observed, "car_t", percentiles=(50,), level=0.9)
    medians = both["car_t"].interp(time=days).median("patient").values  # (replicate, day)
    np.testing.assert_allclose(found["simulated"].values[:, 0], medians.mean(axis=0))
    np.testing.assert_allclose(found["lower"].values[:, 0], np.percentile(medians, 5, axis=0))


def test_drawn_trials_keep_the_patients_together() -> None:
    # With two observations a patient at one time, a trial of one patient has percentiles that
    # coincide if the patient is drawn once, and differ if each value is drawn.
    base = courses(200)
    observed = {"time": [1.0, 1.0], "car_t": [1.0, 1.0], "patient": [7, 7]}
    whole = plots.vpc_statistics(base, observed, "car_t", percentiles=(0, 100), draws=50)
    np.testing.assert_array_equal(whole["lower"][0, 0], whole["lower"][0, 1])
    del observed["patient"]
    apart = plots.vpc_statistics(base, observed, "car_t", percentiles=(0, 100), draws=50)
    assert float(apart["simulated"][0, 1]) > float(apart["simulated"][0, 0])


def test_bands_hold_the_percentiles_of_the_same_population() -> None:
    # Each of 40 trials of the same population has its median in the 90 % band, but for chance.
    base = courses(400)
    rng = np.random.default_rng(11)
    days = np.array([1.0, 4.0])
    at = base["car_t"].interp(time=days).values
    inside = 0
    for _ in range(40):
        rows = rng.integers(0, len(at), 25)
        observed = {
            "time": np.tile(days, 25),
            "patient": np.repeat(np.arange(25), 2),
            "car_t": at[rows].ravel(),
        }
        found = plots.vpc_statistics(
            base, observed, "car_t", percentiles=(50,), level=0.9, draws=200
        )
        seen = found["observed"].values[0, 0]
        inside += int(found["lower"].values[0, 0] <= seen <= found["upper"].values[0, 0])
    # Binomial(40, 0.9): below 30 has a probability of 2e-3.
    assert inside >= 30


def test_the_same_seed_gives_the_same_bands() -> None:
    observed = trial(np.array([1.0, 4.0]))
    one = plots.vpc_statistics(courses(), observed, "car_t", seed=1)
    assert one.identical(plots.vpc_statistics(courses(), observed, "car_t", seed=1))
    assert not one.identical(plots.vpc_statistics(courses(), observed, "car_t", seed=2))


def test_failed_patients_are_left_out() -> None:
    base = courses(30)
    failed = base.copy(deep=True)
    failed["car_t"][0] = np.nan
    observed = trial(np.array([1.0, 4.0]))
    without = base.isel(patient=slice(1, None))
    assert plots.vpc_statistics(failed, observed, "car_t").identical(
        plots.vpc_statistics(without, observed, "car_t")
    )


def test_bins_by_time_by_count_and_by_edges() -> None:
    assert bin_edges(np.array([1.0, 3.0, 3.0, 7.0]), None).tolist() == [0.5, 2.0, 5.0, 7.5]
    assert bin_edges(np.arange(101.0), 4).tolist() == [0.0, 25.0, 50.0, 75.0, 100.0]
    assert len(bin_edges(np.arange(101.0), None)) == 9
    assert bin_edges(np.arange(3.0), [0, 5]).tolist() == [0.0, 5.0]
    with pytest.raises(ScenarioError, match="two or more ascending edges"):
        bin_edges(np.arange(3.0), [5.0, 1.0])


def test_any_table_will_do() -> None:
    mapping = plots.vpc_statistics(SIMULATED, OBSERVED, "dv", bins=[0.0, 2.0, 4.0])
    dataset = xr.Dataset({name: ("row", values) for name, values in OBSERVED.items()})
    simulated = xr.Dataset({name: ("row", values) for name, values in SIMULATED.items()})
    for seen, drawn in ((dataset, simulated), (dataset.to_dataframe(), simulated.to_dataframe())):
        found = plots.vpc_statistics(drawn, seen, "dv", bins=[0.0, 2.0, 4.0])
        xr.testing.assert_identical(found, mapping)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ScenarioError, match="no column 'replicate'"):
        plots.vpc_statistics({"time": [1.0], "dv": [1.0]}, OBSERVED, "dv")
    with pytest.raises(ScenarioError, match="leave out 1 observations"):
        plots.vpc_statistics(SIMULATED, OBSERVED, "dv", bins=[0.0, 2.0, 3.0])
    with pytest.raises(ScenarioError, match="Simulate the whole time"):
        plots.vpc_statistics(courses(), {"time": [20.0], "car_t": [1.0]}, "car_t")
    with pytest.raises(ScenarioError, match="no observed value"):
        plots.vpc_statistics(SIMULATED, {"time": [1.0], "dv": [np.nan]}, "dv")


def test_the_figure_shows_values_percentiles_and_the_limit(ax: Axes) -> None:
    observed = trial(np.array([1.0, 4.0, 9.0]))
    values = np.asarray(observed["car_t"])
    limit = float(np.quantile(values, 0.2))
    before = plt.get_fignums()
    plots.vpc(courses(), observed, "car_t", limit=limit, log=True, ax=ax)
    assert plt.get_fignums() == before
    found = plots.vpc_statistics(courses(), observed, "car_t", limit=limit)
    lines = {str(line.get_gid()): line for line in ax.lines}
    median = np.asarray(lines["observed 50"].get_ydata())
    shown = found["observed"].sel(percentile=50).values
    assert (shown > limit).any()
    np.testing.assert_allclose(median[shown > limit], shown[shown > limit])
    below = values < limit
    assert len(np.asarray(lines["observed values"].get_ydata())) == (~below).sum()
    marked = np.asarray(lines["below the limit"].get_ydata())
    assert len(marked) == below.sum() > 0
    assert len(set(marked.tolist())) == 1
    assert marked[0] < limit
    assert any(patch.get_gid() == "below detection" for patch in ax.patches)
    assert f"36 observed values, {below.sum()} of them below the limit" in [
        text.get_text() for text in ax.texts
    ]
    assert ax.get_ylabel() == "CAR-T cells (cells/µL)"
    assert ax.get_xlabel() == "Time (days)"
    legend = ax.get_legend()
    assert legend is not None
    assert "simulated median, 95 % band" in [text.get_text() for text in legend.get_texts()]
    assert len(ax.collections) == 3


def test_the_figure_on_a_linear_axis(ax: Axes) -> None:
    plots.vpc(SIMULATED, OBSERVED, "dv", bins=[0.0, 2.0, 4.0], limit=2.5, ax=ax)
    (below,) = [line for line in ax.lines if line.get_gid() == "below the limit"]
    assert set(np.asarray(below.get_ydata()).tolist()) == {2.5}
    assert "limit of detection 2.5" in [text.get_text() for text in ax.texts]
