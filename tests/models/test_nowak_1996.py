"""Claims of Nowak et al. 1996, and the generic file of the basic model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim_models.nowak_1996 import MODEL

FINE = Solver(rtol=1e-9)
HALF_LIVES = {"short_lived": 10.0, "long_lived": 100.0}


@pytest.mark.parametrize("variants", [[], ["short_lived"], ["long_lived"], ["generic"]])
def test_untreated_steady_state(variants: list[str]) -> None:
    y, p = MODEL.initial_state(MODEL.parameter_values(variants=variants))
    assert (y[0] > 0.0).all()
    change = np.array(MODEL.derivatives(0.0, y[0], p[0]))
    np.testing.assert_allclose(change / y[0], 0.0, atol=1e-12)


def test_a_virus_that_cannot_spread_leaves_the_liver_uninfected() -> None:
    y, _ = MODEL.initial_state(MODEL.parameter_values({"b": 1e-10}))
    np.testing.assert_allclose(y[0], [5.44e4 / 0.004, 0.0, 0.0], atol=1e-9)


@pytest.mark.parametrize("variant", HALF_LIVES)
def test_virus_falls_in_two_phases_first_of_free_virus_then_of_infected_cells(
    variant: str,
) -> None:
    """The first phase spans log10(1/(1-eps)); new infection is what delta lets it be."""
    delta = np.log(2.0) / HALF_LIVES[variant]
    result = simulate(
        MODEL,
        variants=[variant],
        parameters={"eps": 0.999, "b": 1e-14},
        # The steady state of an infection that therapy lets no longer spread.
        initial={"T": 1e6, "I": np.log(2.0), "V": MODEL.variants[variant].values["p"][0]},
        stop=120.0,
        save_at=[0.0, 0.5, 20.0, 40.0, 120.0],
        outputs=["log10_virus"],
        solver=FINE,
    )
    v = result["log10_virus"].to_numpy()
    # Infected cells matter little in half a day: the slope there is nearly that of c.
    assert (v[0] - v[1]) / 0.5 == pytest.approx(np.log10(2.0), rel=2e-3)
    assert (v[3] - v[4]) / 80.0 == pytest.approx(delta / np.log(10.0), rel=1e-4)
    # The second phase, drawn back to day 0, begins (1 - eps) c/(c - delta) below the start.
    intercept = v[3] + 40.0 * delta / np.log(10.0) - v[0]
    c = np.log(2.0)
    assert intercept == pytest.approx(np.log10(1e-3 * c / (c - delta)), abs=1e-3)


def test_against_two_independent_engines(suites: Path) -> None:
    folder = suites / "biomodels" / "trajectories"
    (file,) = folder.glob("nowak1996*MODEL1006230050.csv")
    reference = np.genfromtxt(file, delimiter=",", names=True)
    result = simulate(
        MODEL,
        variants=["generic"],
        initial={"T": 100.0, "I": 0.0, "V": 5.0},
        stop=100.0,
        save_at=reference["time"],
        outputs=["T", "I", "V"],
        solver=Solver(rtol=1e-10),
    )
    for name, column in (("T", "x"), ("I", "y"), ("V", "v")):
        expected = reference[column]
        # The two engines agree to 1e-6 of the maximum of a column.
        np.testing.assert_allclose(result[name], expected, rtol=1e-6, atol=1e-6 * expected.max())
