"""Steady states, recovery, conservation and identifiability against closed forms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner, Result
from matplotlib.patches import Rectangle

import carsim
from carsim import Assumed, Model, Parameters, Scenario, State, parameter, plots, state
from carsim.cli import main
from carsim.credibility import (
    conserved,
    drift,
    identifiability,
    local_sensitivity,
    recovery,
    steady_state,
)
from carsim.errors import ScenarioError
from carsim.math import exp

WHY = Assumed("test")


# Steady state and recovery


class Gut(State):
    slow: float = state(4.0, "mg", "slow pool", atol=1e-9)
    fast: float = state(8.0, "mg", "fast pool", atol=1e-9)
    grows: float = state(1.0, "cell", "cells that grow", atol=1e-6)
    empty: float = state(0.0, "mg", "nothing", atol=1e-9)


class Rates(Parameters):
    k: float = parameter(0.1, "1/day", "loss of the slow pool", WHY)
    f: float = parameter(2.0, "1/day", "loss of the fast pool", WHY)
    r: float = parameter(0.03, "1/day", "growth", WHY)


def linear(t: float, y: Gut, p: Rates) -> Gut:
    return Gut(
        slow=p.k * (4.0 - y.slow),
        fast=p.f * (2.0 * y.slow - y.fast),
        grows=p.r * y.grows,
        empty=-p.k * y.empty,
    )


LINEAR = Model("linear", linear, Gut, Rates)


def test_states_that_are_not_steady_are_named_with_their_rate() -> None:
    found = steady_state(LINEAR)
    assert found.state.values[~found.steady.values].tolist() == ["grows"]
    assert float(found.relative_rate.sel(state="grows")) == pytest.approx(0.03)
    np.testing.assert_allclose(found.eigenvalue_real, [0.03, -0.1, -0.1, -2.0], atol=1e-12)
    assert bool(steady_state(LINEAR, {"r": 0.0}).steady.all())


def test_an_oscillator_has_complex_eigenvalues() -> None:
    """Leon-Triana at its coexistence of CAR-T cells and leukemia without B cells: +-i w."""
    model = carsim.load_model("leon_triana_2021")
    p = {field.name: field.value for field in model.parameters}

    def start(rates: Parameters) -> State:
        values = [p["rho_L"] / p["alpha"], 1.0 / (p["rho_C"] * p["tau_C"]), 0.0]
        found: State = model.state_record(values)
        return found

    still = Model("still", model.rhs, model.state_class, model.parameter_class, initial=start)
    found = steady_state(still)
    assert bool(found.steady.all())
    frequency = np.sqrt(p["rho_L"] / p["tau_C"])
    np.testing.assert_allclose(found.eigenvalue_real[:2], 0.0, atol=1e-12)
    np.testing.assert_allclose(
        np.sort(found.eigenvalue_imaginary[:2]), [-frequency, frequency], rtol=1e-9
    )


def test_a_linear_model_returns_as_its_eigenvalues_say() -> None:
    found = recovery(LINEAR, stop=100.0)
    assert found.state.values.tolist() == ["slow", "fast", "grows"]
    assert np.isnan(found.time_to_return.sel(state="grows"))
    np.testing.assert_allclose(found.time_to_return, found.predicted_time, rtol=0.02)
    expected = np.log(1.0 / 0.05) / 2.0
    assert float(found.time_to_return.sel(state="fast")) == pytest.approx(expected, rel=0.02)
    # Of a disturbance of the slow pool the fast one keeps k / (f - k) more than the slow one.
    expected = np.log(2.0 / (2.0 - 0.1) / 0.05) / 0.1
    assert float(found.time_to_return.sel(state="slow")) == pytest.approx(expected, rel=0.02)
    assert float(found.largest.sel(state="slow")) == pytest.approx(1.0)


def test_a_published_steady_state_is_one_and_recovers() -> None:
    """HBV of a carrier without depletion, around which small disturbances are linear."""
    model = carsim.load_model("hbv_immunodepletion")
    assert bool(steady_state(model, {"drivers.L_min": 1.0}).steady.all())
    assert not bool(steady_state(model).steady.all())
    found = recovery(model, {"drivers.L_min": 1.0}, factor=1.001, stop=600.0)
    both = np.isfinite(found.predicted_time)
    assert int(both.sum()) >= 5
    np.testing.assert_allclose(found.time_to_return[both], found.predicted_time[both], rtol=0.03)


def test_the_flagship_is_steady_but_for_leukemia() -> None:
    model = carsim.load_model("cart_hbv")
    found = steady_state(model)
    moving = found.state.values[~found.steady.values].tolist()
    # The integrals of growth and death that give the probability of cure run from the start.
    assert {name.partition(".")[0] for name in moving} == {"leukemia", "cure"}
    without = steady_state(model, {"leukemia.initial_cells": 0.0})
    moving = without.state.values[~without.steady.values].tolist()
    assert {name.partition(".")[0] for name in moving} == {"cure"}


# Conservation


class Bottle(State):
    substrate: float = state(5.0, "1", "substrate", atol=1e-9)
    enzyme: float = state(0.7, "1", "free enzyme", atol=1e-9)
    bound: float = state(0.0, "1", "enzyme with substrate", atol=1e-9)
    pair: float = state(0.0, "1", "product, two substrates each", atol=1e-9)
    sink: float = state(0.0, "1", "what left", atol=1e-9)
    fixed: float = state(3.0, "1", "something that stays", atol=1e-9)


class Speeds(Parameters):
    on: float = parameter(2.0, "1/day", "binding", WHY)
    off: float = parameter(1.5, "1/day", "unbinding", WHY)
    cat: float = parameter(0.3, "1/day", "catalysis", WHY)
    leak: float = parameter(1e-4, "1/day", "loss of the product", WHY)
    V: float = parameter(2.5, "1", "volume of the sink over that of the bottle", WHY)


def reactions(t: float, y: Bottle, p: Speeds) -> Bottle:
    on = p.on * y.substrate * y.enzyme
    off = p.off * y.bound
    made = p.cat * y.bound * exp(-0.01 * y.fixed)
    lost = p.leak * y.pair
    return Bottle(
        substrate=off - on,
        enzyme=off + made - on,
        bound=on - off - made,
        pair=0.5 * made - lost,
        sink=lost / p.V,
        fixed=0.0,
    )


BOTTLE = Model("bottle", reactions, Bottle, Speeds)


def test_conserved_sums_are_found_with_their_rational_weights() -> None:
    laws = conserved(BOTTLE)
    found = [law.weights for law in laws]
    assert len(found) == 3
    assert {"enzyme": 1.0, "bound": 1.0} in found or {
        "substrate": 1.0,
        "enzyme": -1.0,
        "pair": 2.0,
        "sink": 5.0,
    } in found
    assert {"fixed": 1.0} in found
    # Whichever basis was chosen, it spans both.
    names = BOTTLE.state_names
    table = np.array([[weights.get(name, 0.0) for name in names] for weights in found])
    for law in ((0, 1, 1, 0, 0, 0), (1, 0, 1, 2, 5, 0)):
        assert np.linalg.matrix_rank(np.vstack([table, law])) == 3
    assert all(value < 1e-13 for value in drift(BOTTLE, laws, stop=200.0))


def test_a_small_leak_is_a_leak() -> None:
    """Without the sink the product's loss of 1e-4 a day breaks one of the sums."""

    def leaking(t: float, y: Bottle, p: Speeds) -> Bottle:
        return reactions(t, y, p)._replace(sink=0.0)

    found = [law.weights for law in conserved(Model("leaking", leaking, Bottle, Speeds))]
    assert {"sink": 1.0} in found
    assert {"enzyme": 1.0, "bound": 1.0} in found
    assert len(found) == 3
    tight = conserved(Model("leaking", leaking, Bottle, Speeds), {"leak": 0.0})
    assert len(tight) == 4


def test_nothing_is_conserved_where_things_grow_and_die() -> None:
    assert conserved(carsim.load_model("leon_triana_2021")) == []
    assert str(conserved(BOTTLE)[-1]) == "fixed"


# Identifiability


class One(State):
    x: float = state(3.0, "mg", "amount", atol=1e-9)


class Two(Parameters):
    a: float = parameter(0.2, "1/day", "loss", WHY)
    b: float = parameter(0.3, "1/day", "other loss", WHY)
    c: float = parameter(5.0, "1/day", "nothing to do with it", WHY)


def losing(t: float, y: One, p: Two) -> One:
    return One(x=-(p.a + p.b) * y.x)


LOSING = Model("losing", losing, One, Two)
TIMES = [0.5, 1.0, 2.0, 4.0]


def losses() -> xr.Dataset:
    return local_sensitivity(Scenario(LOSING, stop=5.0, save_at=TIMES, outputs=["x"]))


def test_two_rates_that_only_act_together_are_found() -> None:
    found = identifiability(losses())
    assert found.attrs["rank"] == 1
    assert found.seen.values.tolist() == [True, True, False]
    assert np.isinf(found.collinearity.sel(parameter="a", other="b"))
    assert np.isinf(found.attrs["index"])
    # b/a times as much of a as of b less: the sum stays.
    direction = found.direction_vector.values[[1, 2]]
    np.testing.assert_allclose(direction @ np.array([0.2, 0.3, 0.0]), 0.0, atol=1e-9)
    assert "a -b" in found.attrs["unidentified"] or "b -a" in found.attrs["unidentified"]


def test_collinearity_and_importance_have_their_closed_form() -> None:
    sensitivities = local_sensitivity(
        Scenario(LOSING, stop=5.0, save_at=TIMES, outputs=["x"]), ["a", "initial.x"]
    )
    found = identifiability(sensitivities, errors={"x": 0.5})
    t = np.array(TIMES)
    x = 3.0 * np.exp(-0.5 * t)
    a, start = -0.2 * t * x / 0.5, x / 0.5
    np.testing.assert_allclose(
        found.importance, [np.sqrt(np.mean(a * a)), np.sqrt(np.mean(start * start))], rtol=1e-6
    )
    cosine = abs(a @ start) / np.sqrt((a @ a) * (start @ start))
    expected = 1.0 / np.sqrt(1.0 - cosine)
    got = found.collinearity.sel(parameter="a", other="initial.x")
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    assert found.attrs["index"] == pytest.approx(expected, rel=1e-5)
    singular = np.linalg.svd(np.array([a, start]).T, compute_uv=False)
    np.testing.assert_allclose(found.singular_value, singular, rtol=1e-6)
    assert found.attrs["rank"] == 2
    assert found.attrs["unidentified"] == ""


def test_fewer_measurements_than_parameters_cannot_tell_them_apart() -> None:
    scenario = Scenario(LOSING, stop=5.0, save_at=[2.0], outputs=["x"])
    found = identifiability(local_sensitivity(scenario, ["a", "initial.x"]))
    assert found.attrs["rank"] == 1
    assert np.isinf(found.attrs["index"])
    assert found.sizes["direction"] == 2


def test_refusals() -> None:
    for errors, message in (
        ({"y": 1.0}, r"identifiability: the run has no output 'y'. Known: x"),
        ({"x": 0.0}, r"the error of 'x' is 0.0. Give a positive number in the unit"),
    ):
        with pytest.raises(ScenarioError, match=message):
            identifiability(losses(), errors=errors)
    nothing = Scenario(LOSING, stop=5.0, save_at=TIMES, outputs=["x"], initial={"x": 0.0})
    with pytest.raises(ScenarioError, match=r"there is nothing to look at: every output is zero"):
        identifiability(local_sensitivity(nothing))
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: recovery(LINEAR, factor=1.0), r"factor = 1.0. Give a positive number other than"),
        (lambda: recovery(LINEAR, states=["slwo"]), r"has no state 'slwo'. Did you mean 'slow'"),
        (lambda: recovery(LINEAR, states=["empty"]), r"'empty' starts at zero, which no factor"),
        (lambda: steady_state(LINEAR, {"kk": 1.0}), r"has no parameter 'kk'"),
        (
            lambda: steady_state(carsim.load_model("cart_hbv"), {"hbv.mu": 1e-3}),
            r"cart_hbv: these parameters admit no initial state",
        ),
    ]
    for call, message in calls:
        with pytest.raises(ScenarioError, match=message):
            call()


# Command line and figures


def command(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_check_prints_what_is_asked_for() -> None:
    result = command(
        *("check", "leon_triana_2021", "--steady-state", "--conservation", "--recovery"),
        *("--span", "5", "--set", "rho_L=0.05"),
    )
    assert result.exit_code == 0, result.output
    assert "0 of 3 states are steady at the start" in result.output
    assert "L           5e+10" in result.output
    assert "0.04955" in result.output  # rho_L - alpha C
    assert "disturbances grow" in result.output
    assert "conservation: 0 sums of states are conserved" in result.output
    assert "recovery from 10 % more of a state, within 5 day" in result.output


def test_check_refuses_what_is_for_models_only(tmp_path: Path) -> None:
    result = command("check", "x.toml", "--steady-state")
    assert result.exit_code == 2
    assert "x.toml is a file; --variant, --steady-state" in result.stderr
    result = command("check", "leon_triana_2021", "--set", "rho_L=much")
    assert result.exit_code == 2
    assert "--set rho_L=much: of a model, give a parameter and a number" in result.stderr


CONFIG = """
model = "leon_triana_2021"

[time]
stop = 20.0
save_every = 5.0

[outputs]
save = ["C", "L"]

[population]
size = 5

[population.parameters]
alpha = { distribution = "lognormal", cv = 0.3 }
"""


def test_sensitivity_local_prints_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.toml").write_text(CONFIG)
    result = command("sensitivity-local", "a.toml", "--identifiability", "--out", "s.nc")
    assert result.exit_code == 0, result.output
    assert "the patient with the scenario's own values, in place of the population" in result.output
    assert "L: percent of it per percent of the parameter" in result.output
    assert "rho_L" in result.output
    assert "identifiability at these times, errors of 10 %: rank 5 of 5" in result.output
    with xr.open_dataset(tmp_path / "s.nc", engine="h5netcdf") as found:
        assert found.sensitivity.dims == ("output", "parameter", "time")
        assert float(found.elasticity.sel(output="L", parameter="rho_L")[1]) > 0.1
    one = command("sensitivity-local", "a.toml", "--parameter", "tau_B", "--output", "B")
    assert one.output.count("tau_B") == 1
    wrong = command("sensitivity-local", "a.toml", "--parameter", "tau_D")
    assert wrong.exit_code == 2
    assert "has no parameter or initial value 'tau_D'. Did you mean 'tau_" in wrong.stderr
    again = command("sensitivity-local", "a.toml", "--out", "s.nc")
    assert again.exit_code == 2
    assert "s.nc exists already" in again.stderr


def test_a_tornado_has_the_longest_bar_on_top() -> None:
    found = losses()
    ax = plots.tornado(found, "x", time=2.0, most=2)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    widths = [bar.get_width() for bar in ax.patches if isinstance(bar, Rectangle)]
    np.testing.assert_allclose(widths, [-0.4, -0.6], rtol=1e-6)
    assert ax.get_title(loc="left") == "Amount, time 2 days"
    with pytest.raises(ScenarioError, match=r"there is no output 'y'. Known: x"):
        plots.tornado(found, "y")
    dead = local_sensitivity(Scenario(LOSING, stop=5.0, outputs=["x"], initial={"x": 0.0}))
    with pytest.raises(ScenarioError, match=r"'x' is zero at t = 5, so that nothing changes it"):
        plots.tornado(dead, "x")


def test_the_map_shows_every_pair_and_the_curves_every_state() -> None:
    ax = plots.collinearity_map(identifiability(losses()))
    assert [text.get_text() for text in ax.texts] == ["∞", "∞"]
    assert ax.get_title(loc="left") == "All together: rank 1 of 3, index ∞"
    curves = plots.recovery_curves(recovery(LINEAR, stop=50.0))
    assert [line.get_label() for line in curves.get_lines()] == ["slow", "fast", "grows"]
