"""Axes and designs: which cells a sweep visits."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carsim.design import (
    Axis,
    Design,
    Grid,
    LatinHypercube,
    List,
    Random,
    Sampled,
    Sobol,
    make_design,
)
from carsim.errors import ScenarioError

STOP = Axis("therapy.entecavir.stop", values=[90, 180, 365])
BETA = Axis("parameters.hbv.beta", low=1e-9, high=1e-6, scale="log")
KIND = Axis("population.serostatus", values=["resolved", "carrier"])


def test_an_axis_names_its_dimension_after_its_path() -> None:
    assert (STOP.name, BETA.name, KIND.name) == ("entecavir_stop", "hbv_beta", "serostatus")
    assert Axis("start", [0.0]).name == "start"
    assert Axis("variants.product", ["a"], name="car").name == "car"


def test_levels_between_bounds_hit_both_ends() -> None:
    axis = Axis("parameters.k", low=0.001, high=0.1, scale="log", points=5)
    assert axis.levels == pytest.approx([1e-3, 10**-2.5, 1e-2, 10**-1.5, 1e-1])
    assert axis.levels[0] == 0.001
    assert axis.levels[-1] == 0.1


def test_a_grid_visits_every_combination_in_c_order() -> None:
    grid = Grid([STOP, KIND])
    assert grid.shape == (3, 2)
    assert grid.dims == ("entecavir_stop", "serostatus")
    columns = grid.columns(np.arange(grid.size))
    assert columns[STOP.path].tolist() == [90, 90, 180, 180, 365, 365]
    assert columns[KIND.path].tolist() == ["resolved", "carrier"] * 3


def test_a_list_visits_the_values_side_by_side() -> None:
    cells = List([STOP, Axis("parameters.k", values=[1.0, 2.0, 3.0])])
    assert (cells.shape, cells.dims) == ((3,), ("point",))
    assert cells.columns(np.array([2, 0]))["parameters.k"].tolist() == [3.0, 1.0]


@pytest.mark.parametrize("kind", [Random, LatinHypercube, Sobol])
def test_a_sampled_design_stays_within_bounds_and_repeats(kind: type[Sampled]) -> None:
    design = kind([BETA, KIND], 50, 0)
    columns = design.columns(np.arange(50))
    again = kind([BETA, KIND], 50, 0).columns(np.arange(50))
    other = kind([BETA, KIND], 50, 1).columns(np.arange(50))
    beta = columns[BETA.path]
    assert np.array_equal(beta, again[BETA.path])
    assert not np.array_equal(beta, other[BETA.path])
    assert beta.min() >= 1e-9
    assert beta.max() <= 1e-6
    assert (beta < 10**-7.5).mean() == pytest.approx(0.5, abs=0.2)
    assert set(columns[KIND.path]) == {"resolved", "carrier"}
    assert pickle.loads(pickle.dumps(design)) == design


@pytest.mark.parametrize("kind", [Random, Sobol])
def test_more_points_keep_the_first_ones(kind: type[Sampled]) -> None:
    few, many = kind([BETA], 20, 3), kind([BETA], 64, 3)
    assert np.array_equal(few.shares, many.shares[:20])


def test_a_latin_hypercube_sees_every_share_of_every_axis_once() -> None:
    shares = LatinHypercube([BETA, STOP], 10, 0).shares
    for column in shares.T:
        assert sorted((column * 10).astype(int).tolist()) == list(range(10))


@given(st.lists(st.integers(0, 5), max_size=10))
def test_cells_can_be_asked_for_in_any_order(cells: list[int]) -> None:
    grid = Grid([STOP, KIND])
    everything = grid.columns(np.arange(6))
    some = grid.columns(np.array(cells, dtype=np.int64))
    for path, values in everything.items():
        assert np.array_equal(some[path], values[cells])


def test_designs_are_made_by_their_name_in_config_files() -> None:
    assert make_design("grid", [STOP], None, 0) == Grid([STOP])
    assert make_design("list", [STOP], None, 0) == List([STOP])
    made = make_design("sobol", [BETA], 16, 0)
    assert isinstance(made, Design)
    assert made.shape == (16,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Axis("", [1]), r"the path is ''"),
        (lambda: Axis("a"), r"axis 'a': give values = \[...\], or low and high"),
        (lambda: Axis("a", []), r"axis 'a': values is empty"),
        (lambda: Axis("a", "xyz"), r"values is the text 'xyz'"),
        (lambda: Axis("a", [1, "x"]), r"mixes numbers and texts"),
        (lambda: Axis("a", [True]), r"True is neither a number nor a text"),
        (lambda: Axis("a", [1.0, float("nan")]), r"a value is nan, not finite"),
        (lambda: Axis("a", [10**400]), r"a value is 1000.*not finite"),
        (lambda: Axis("a", [1, 2, 1]), r"the value 1 is given twice"),
        (lambda: Axis("a", [1], low=0.0), r"both given. Keep one"),
        (lambda: Axis("a", low=2.0, high=1.0), r"must be below high"),
        (lambda: Axis("a", low=0.0, high=1.0, scale="log"), r"a log scale needs bounds above 0"),
        (lambda: Axis("a", low=0.0, high=1.0, scale="lg"), r"no scale 'lg'.*Did you mean 'log'"),
        (lambda: Axis("a", low="0", high=1.0), r"low = '0' is not a number"),  # type: ignore[arg-type]
        (lambda: Axis("a", low=0.0, high=1.0, points=1), r"points = 1 must be a whole number"),
        (lambda: Axis("a", [1], name="patient"), r"'patient' cannot name a dimension"),
        (lambda: Axis("a", [1], name="a b"), r"'a b' cannot name a dimension"),
        (lambda: Grid([]), r"grid design: there is no axis"),
        (lambda: Grid([STOP, STOP]), r"two axes have the path 'therapy.entecavir.stop'"),
        (lambda: Grid([Axis("parameters.a.b", [1]), Axis("a.b", [1])]), r"the name 'a_b'"),
        (lambda: Grid([BETA]).shape, r"a grid or a list needs its values"),
        (lambda: List([STOP, KIND]), r"entecavir_stop 3, serostatus 2"),
        (lambda: Random([STOP], 0), r"random design: points = 0 must be a whole number"),
        (lambda: Random([STOP], 5, -1), r"seed = -1"),
        (lambda: Random([Axis("a", low=0.0, high=1.0, points=3)], 5), r"points = 3 is for grids"),
        (lambda: make_design("gird", [STOP], None, 0), r"no design 'gird'. Did you mean 'grid'"),
        (lambda: make_design("grid", [STOP], 5, 0), r"grid design: points = 5 is for random"),
        (lambda: make_design("sobol", [STOP], None, 0), r"say how many points"),
    ],
)
def test_a_senseless_axis_or_design_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        make()
