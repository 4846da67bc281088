"""Courses, strips below the limit, periods of therapy and event marks: what is drawn."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import carsim
from carsim import plots
from carsim.errors import ScenarioError
from carsim.model import Model
from carsim.plots.spaghetti import transparency
from carsim.plots.theme import COLORS
from carsim.therapy import Discontinue, Dose, Infusion, Rule, Window

N = 20


def make_courses(failed: tuple[int, ...] = (3,)) -> xr.Dataset:
    time = np.linspace(0.0, 50.0, 26)
    rng = np.random.default_rng(5)
    dna = np.exp(rng.normal(size=(N, 1))) * 1e4 * np.exp(-0.2 * time)
    dna[list(failed)] = np.nan
    status = np.zeros(N, dtype=int)
    status[list(failed)] = 2
    return xr.Dataset(
        {
            "hbv_dna": (("patient", "time"), dna, {"units": "IU/mL", "long_name": "HBV DNA"}),
            "status": ("patient", status),
        },
        coords={
            "time": ("time", time, {"units": "day"}),
            "patient": ("patient", np.arange(100, 100 + N)),
            "kind": ("patient", ["a", "b"] * (N // 2), {"long_name": "kind of patient"}),
        },
    )


@pytest.fixture
def ax() -> Axes:
    return Figure().subplots()


@pytest.fixture(scope="module")
def treated(request: pytest.FixtureRequest) -> xr.Dataset:
    """Three patients: daily tablets, an infusion that a rule begins and another one ends."""
    model: Model = request.getfixturevalue("one_compartment")
    return carsim.simulate(
        model,
        parameters={"CL": np.array([1.0, 2.0, 8.0])},
        therapy={
            "tablets": Dose("oral", 10.0, at=1.0, every=1.0, count=4),
            "late": Dose("oral", 5.0, at=17.5),
            "start": Rule(
                "concentration", above=1.0, at=(5.0, 6.0), limit=1, do=Infusion("iv", rate=4.0)
            ),
            "stop": Rule("concentration", above=0.0, at=(9.0,), do=Discontinue("start")),
            "induction": Window("V", 2.0, 4.0, scale=1.5),
        },
        stop=20.0,
        save_at=np.linspace(0.0, 20.0, 41),
        outputs=("concentration",),
    )


def gids(ax: Axes, start: str) -> list[str]:
    return [str(line.get_gid()) for line in ax.lines if str(line.get_gid()).startswith(start)]


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def bundles(ax: Axes) -> list[LineCollection]:
    return [each for each in ax.collections if isinstance(each, LineCollection)]


def test_spaghetti_draws_every_patient_that_did_not_fail(ax: Axes) -> None:
    courses = make_courses()
    assert plots.spaghetti(courses, "hbv_dna", ax=ax) is ax
    (bundle,) = bundles(ax)
    drawn = np.array([segment[:, 1] for segment in bundle.get_segments()])
    whole = courses["hbv_dna"].values[np.arange(N) != 3]
    np.testing.assert_array_equal(drawn, whole)
    assert texts(ax) == ["1 failed patient left out"]
    assert ax.get_xlabel() == "Time (days)"
    assert ax.get_ylabel() == "HBV DNA (IU/mL)"


def test_spaghetti_says_how_many_it_does_not_draw(ax: Axes) -> None:
    plots.spaghetti(make_courses(), "hbv_dna", most=5, ax=ax)
    assert len(bundles(ax)[0].get_segments()) == 5
    assert texts(ax) == ["the first 5 of 19 patients drawn; 1 failed patient left out"]


def test_what_is_below_the_limit_lies_in_the_strip(ax: Axes) -> None:
    courses = make_courses()
    plots.spaghetti(courses, "hbv_dna", log=True, limit=100.0, ax=ax)
    (strip,) = [patch for patch in ax.patches if patch.get_gid() == "below detection"]
    low, high = strip.get_extents().transformed(ax.transData.inverted()).get_points()[:, 1]
    assert high == pytest.approx(100.0)
    assert low == pytest.approx(ax.get_ylim()[0])
    drawn = np.array([segment[:, 1] for segment in bundles(ax)[0].get_segments()])
    values = courses["hbv_dna"].values[np.arange(N) != 3]
    below = values < 100.0
    assert 0.2 < below.mean() < 0.8
    np.testing.assert_array_equal(drawn[~below], values[~below])
    assert len(np.unique(drawn[below])) == 1
    assert low < drawn[below][0] < 100.0
    assert "below limit of detection 100 IU/mL" in texts(ax)
    ax.figure.canvas.draw()
    assert min(ax.get_yticks()) >= 100.0  # the strip has no scale


def test_spaghetti_colors_groups_and_highlights(ax: Axes) -> None:
    courses = make_courses()
    plots.spaghetti(courses, "hbv_dna", by="kind", highlight=[104, 107], ax=ax)
    assert [
        to_hex(tuple(np.asarray(bundle.get_colors())[0])).upper() for bundle in bundles(ax)
    ] == list(COLORS[:2])
    assert [len(bundle.get_segments()) for bundle in bundles(ax)] == [10, 9]
    for line, patient in zip(ax.lines, (104, 107), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), courses["hbv_dna"].sel(patient=patient))
        assert str(line.get_color()) == "black"
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()
    legend = ax.get_legend()
    assert legend is not None
    assert legend.get_title().get_text() == "Kind of patient"
    assert [text.get_text() for text in legend.get_texts()] == [
        "a (n = 10)", "b (n = 9)", "patient 104", "patient 107",
    ]  # fmt: skip


def test_spaghetti_refuses_unknown_patients_and_variables(ax: Axes) -> None:
    with pytest.raises(ScenarioError, match="no patient '99'"):
        plots.spaghetti(make_courses(), "hbv_dna", highlight=[99], ax=ax)
    with pytest.raises(ScenarioError, match="Did you mean 'hbv_dna'"):
        plots.spaghetti(make_courses(), "hbv_dan", ax=ax)


def test_many_lines_are_more_transparent() -> None:
    assert [round(transparency(n), 2) for n in (1, 100, 10_000)] == [0.9, 0.4, 0.1]


def test_bands_are_the_percentiles_of_those_that_did_not_fail(ax: Axes) -> None:
    courses = make_courses(failed=(3, 4))
    plots.trajectories(courses, "hbv_dna", percentiles=(5, 25, 75, 95), patients=2, ax=ax)
    whole = np.delete(courses["hbv_dna"].values, [3, 4], axis=0)
    for band, ends in zip(ax.collections, [(5, 95), (25, 75)], strict=True):
        x, y = np.asarray(band.get_paths()[0].vertices).T
        for percentile in ends:
            for when, value in zip(
                courses.time.values, np.percentile(whole, percentile, axis=0), strict=True
            ):
                assert np.isclose(y[np.isclose(x, when)], value).any()
    np.testing.assert_allclose(np.asarray(ax.lines[-1].get_ydata()), np.median(whole, axis=0))
    assert len(ax.lines) == 3
    assert texts(ax) == ["2 failed patients left out"]


def test_bands_end_in_the_strip(ax: Axes) -> None:
    courses = make_courses()
    plots.trajectories(courses, "hbv_dna", log=True, limit=100.0, strip=True, patients=0, ax=ax)
    median = np.asarray(ax.lines[-1].get_ydata())
    true = np.nanmedian(courses["hbv_dna"].values, axis=0)
    np.testing.assert_allclose(median[true > 110.0], true[true > 110.0])
    assert len(np.unique(median[true < 90.0])) == 1
    with pytest.raises(ScenarioError, match="needs a logarithmic axis"):
        plots.trajectories(courses, "hbv_dna", strip=True, limit=100.0, ax=ax)


@pytest.mark.parametrize("wrong", [(5.0,), (95.0, 5.0), (5.0, 50.0, 95.0), (-1.0, 95.0)])
def test_percentiles_must_pair(wrong: tuple[float, ...], ax: Axes) -> None:
    with pytest.raises(ScenarioError, match="ends of the bands in ascending order"):
        plots.trajectories(make_courses(), "hbv_dna", percentiles=wrong, ax=ax)


def test_a_limit_above_all_values_is_still_seen(ax: Axes) -> None:
    plots.trajectories(make_courses(), "hbv_dna", log=True, limit=1e7, ax=ax)
    assert ax.get_ylim()[0] < 1e7 < ax.get_ylim()[1]


def test_all_failed_draws_no_band(ax: Axes) -> None:
    plots.trajectories(make_courses(failed=tuple(range(N))), "hbv_dna", ax=ax)
    assert not ax.collections
    assert texts(ax) == ["20 failed patients left out"]


def test_courses_of_therapy_are_those_of_scenario_and_log(treated: xr.Dataset) -> None:
    fired = treated["event_time"].values[treated["event_name"].values == "start"]
    assert set(treated["event_patient"].values) >= {0, 1}
    courses = plots.therapy_courses(treated)
    assert set(courses) == {"Oral", "Iv", "V"}
    # Four daily tablets make one course, the late one another of no length.
    assert courses["Oral"] == [[(1.0, 4.0), (17.5, 17.5)]] * 3
    assert courses["V"] == [[(2.0, 4.0)]] * 3
    for patient in range(3):
        mine = (treated["event_patient"].values == patient) & (
            treated["event_name"].values == "start"
        )
        begun = treated["event_time"].values[mine]
        assert courses["Iv"][patient] == [(float(time), 9.0) for time in begun]
    assert len(fired) >= 2
    assert plots.therapy_courses(treated, join=0.5)["Oral"][0][0] == (1.0, 1.0)


def test_courses_of_some_patients(treated: xr.Dataset) -> None:
    everybody = plots.therapy_courses(treated)
    part = plots.therapy_courses(treated.isel(patient=[2, 0]))
    assert part["Oral"] == [everybody["Oral"][2], everybody["Oral"][0]]
    alone = plots.therapy_courses(treated.isel(patient=0))
    assert alone["Iv"] == [everybody["Iv"][0]]


def test_periods_of_a_cohort_need_a_share_of_the_patients(treated: xr.Dataset) -> None:
    alone = plots.therapy_courses(treated)["Iv"]
    having = [spans for spans in alone if spans]
    some = plots.scheduled_periods(treated, share=0.1)
    assert some["Iv"] == [(min(spans[0][0] for spans in having), 9.0)]
    assert some["Oral"] == [(1.0, 4.0)]  # a single dose has no length
    assert ("Iv" in plots.scheduled_periods(treated, share=1.0)) == (len(having) == 3)
    with pytest.raises(ScenarioError, match="must lie above 0"):
        plots.scheduled_periods(treated, share=0.0)


def test_periods_need_the_log_and_the_patients(treated: xr.Dataset) -> None:
    with pytest.raises(ScenarioError, match="sweeps keep endpoints only"):
        plots.therapy_courses(treated.drop_vars("event_name"))
    with pytest.raises(ScenarioError, match="has no patient 7"):
        plots.therapy_courses(treated.assign_coords(patient=[0, 1, 7]))


def test_shading_has_one_entry_a_name(treated: xr.Dataset, ax: Axes) -> None:
    plots.trajectories(
        treated, "concentration", shading={"Entecavir": [(1.0, 2.0), (5.0, 6.0)]}, ax=ax
    )
    assert len(ax.patches) == 2
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["Entecavir"]


def test_marks_stand_at_the_logged_times(treated: xr.Dataset, ax: Axes) -> None:
    plots.trajectories(treated, "concentration", ax=ax, title="Concentration")
    before = len(ax.lines)
    plots.event_marks(treated, names={"start": "infusion begun"}, ax=ax)
    names = treated["event_name"].values
    assert gids(ax, "event ") == ["event start", "event stop"]
    for name in ("start", "stop"):
        (line,) = [line for line in ax.lines if line.get_gid() == f"event {name}"]
        expected = treated["event_time"].values[names == name]
        assert sorted(np.asarray(line.get_xdata())) == sorted(expected)
        assert line.get_color() in COLORS
    begun = len(np.unique(treated["event_patient"].values[names == "start"]))
    assert f"infusion begun ({begun} of 3)" in texts(ax)
    assert len(ax.lines) == before + 4  # a row and its ticks, twice
    assert ax.get_title(loc="center") == "Concentration"


def test_marks_of_one_patient_go_through_the_axes(treated: xr.Dataset, ax: Axes) -> None:
    one = treated.sel(patient=0)
    plots.trajectories(one, "concentration", ax=ax)
    plots.event_marks(one, events=["start"], ax=ax)
    begun = one["event_time"].values[
        (one["event_patient"].values == 0) & (one["event_name"].values == "start")
    ]
    through = [line for line in ax.lines if np.array_equal(line.get_xdata(), np.repeat(begun, 2))]
    assert len(through) == 1
    assert "start" in texts(ax)


def test_marks_leave_out_failed_patients(treated: xr.Dataset, ax: Axes) -> None:
    failed = treated.copy()
    failed["status"] = ("patient", np.array([1, 0, 0]))
    plots.trajectories(failed, "concentration", ax=ax)
    plots.event_marks(failed, events=["stop"], ax=ax)
    (line,) = [line for line in ax.lines if line.get_gid() == "event stop"]
    assert len(np.asarray(line.get_xdata())) == 2
    with pytest.raises(ScenarioError, match="Did you mean 'start'"):
        plots.event_marks(treated, events=["strat"], ax=ax)


def test_title_and_note_stand_above_the_marks(treated: xr.Dataset) -> None:
    figure = Figure(layout="constrained")
    ax = figure.subplots()
    plots.spaghetti(treated, "concentration", most=2, ax=ax, title="T")
    plots.event_marks(treated, ax=ax)
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    (note,) = [text for text in ax.texts if text.get_gid() == "note"]
    words = [text for text in ax.texts if text.get_text().endswith(" of 3)")]
    bottoms = [text.get_window_extent().y0 for text in (*words, note, ax.title)]
    assert bottoms == sorted(bottoms)
    assert bottoms[0] > ax.get_window_extent().y1


def test_no_figure_is_opened_when_axes_are_given(treated: xr.Dataset, ax: Axes) -> None:
    before = plt.get_fignums()
    plots.spaghetti(make_courses(), "hbv_dna", ax=ax)
    plots.trajectories(treated, "concentration", ax=ax)
    plots.event_marks(treated, ax=ax)
    assert plt.get_fignums() == before
