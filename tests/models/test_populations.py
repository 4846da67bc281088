"""Virtual populations of the flagship: what they are made of, and that they can be simulated."""

from __future__ import annotations

import numpy as np
import pytest

from carsim.config import read_text
from carsim.errors import ConfigError, ScenarioError
from carsim.population import named_population, named_populations
from carsim.simulation import simulate
from carsim_models.cart_hbv import MODEL
from carsim_models.cart_hbv.populations import REGIONS, population, serostatus, spread

TABLES = """
model = "cart_hbv"
[time]
stop = 10.0
[population]
size = 50
"""


@pytest.mark.parametrize("name", list(named_populations(MODEL)))
def test_every_population_starts_in_a_steady_state(name: str) -> None:
    """Nobody is drawn whose virus no steady state holds."""
    patients = named_population(MODEL, name, 300, 3, infected_only=True)
    result = simulate(
        MODEL, population=patients, stop=1.0, save_at=[0.0, 1.0], outputs=["hbv.virus"]
    )
    failed = int((result["status"] != 0).sum())
    assert failed <= 3
    virus = result["hbv.virus"].to_numpy()
    drift = np.abs(np.log(virus[:, 1] / virus[:, 0]))
    assert np.nanmax(drift) < 1e-3


def test_shares_of_serostatus_are_those_of_the_region() -> None:
    for name, region in REGIONS.items():
        mixture = serostatus(spread(), name)
        weights = {component.label: component.weight for component in mixture.components}
        positive = sum(w for label, w in weights.items() if label.startswith("HBsAg positive"))
        resolved = sum(w for label, w in weights.items() if label.startswith("resolved"))
        assert positive == pytest.approx(region.hbsag)
        assert resolved == pytest.approx(region.resolved)
        assert sum(weights.values()) == pytest.approx(1.0)


def test_children_rely_more_on_short_lived_plasma_cells() -> None:
    median = {
        age: float(np.median(population(400, 1, age=age).sample(MODEL).parameters["b_cell.f_S"]))
        if age == "child"
        else 0.25
        for age in ("adult", "child")
    }
    assert median["child"] == pytest.approx(0.6, abs=0.05)
    assert "b_cell.f_S" not in population(400, 1).parameters


def test_a_config_takes_a_population_and_changes_it() -> None:
    config = read_text(
        TABLES
        + 'like = { name = "adults_1928zT2", region = "world", burden = [1e8, 1e10] }\n'
        + "[population.parameters]\n"
        + '"cart.r_E" = { distribution = "lognormal", sigma = 0.1 }\n'
    )
    drawn = config.scenario.population
    assert drawn is not None
    assert drawn.parameters["leukemia.initial_cells"].high == 1e10  # type: ignore[union-attr]
    assert drawn.parameters["cart.r_E"].sigma == 0.1  # type: ignore[union-attr]
    assert drawn.mixture is not None
    assert drawn.mixture.components[0].variants[0] == "1928zT2"


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"population.like: .*Did you mean 'adults_19_28z'"):
        read_text(TABLES + 'like = "adults_19_28"\n')
    with pytest.raises(ConfigError, match=r"no option 'regio'.* Did you mean 'region'"):
        read_text(TABLES + 'like = { name = "adults_19_28z", regio = "world" }\n')
    with pytest.raises(ConfigError, match="there is no name"):
        read_text(TABLES + 'like = { region = "world" }\n')
    with pytest.raises(ScenarioError, match="no region 'Chin'"):
        population(10, region="Chin")


CENTERS = {
    "r_L": "leukemia.r_L",
    "kappa": "hbv.kappa",
    "kappa_L": "t_cell.kappa_L",
    "tau_L": "t_cell.tau_L",
    "alpha": "hbv.alpha",
    "k_GC": "hbv.k_GC",
    "s_GC": "hbv.s_GC",
    "k_share": "hbv.k_share",
    "K_Ab": "hbv.K_Ab",
    "f_LL": "hbv.f_LL",
}
CENTERS_OF_A_PHASE = {
    "f_mem": ("inactive_carrier", "hbv.f_mem"),
    "dna_carrier": ("inactive_carrier", "hbv.dna_0"),
    "E_0": ("resolved_no_anti_hbs", "hbv.E_0"),
    "C_0": ("resolved_anti_hbs", "hbv.C_0"),
    "titer": ("resolved_anti_hbs", "hbv.anti_hbs_0"),
}


def test_the_typical_patient_of_the_model_is_the_center_of_the_populations() -> None:
    here = spread()
    for name, parameter in CENTERS.items():
        value = MODEL.parameters[MODEL.parameter_index[parameter]].value
        assert getattr(here, name) == pytest.approx(value, rel=1e-9), name
    for name, (phase, parameter) in CENTERS_OF_A_PHASE.items():
        value = MODEL.variants[phase].values[parameter][0]
        assert getattr(here, name) == pytest.approx(value, rel=1e-9), name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            'region = { China = "China" }',
            r"population.like: .*region = \{'China'.* is not the name",
        ),
        ("region = 3", r"region = 3 is not the name of a region"),
        (
            "burden = 1e9",
            r"population.like: population: burden = 1000000000.0. Give the least and the largest",
        ),
        ("burden = [1e8]", r"burden = \[100000000.0\]. Give the least and the largest"),
        ('burden = ["a", "b"]', r"population.like: .*low = 'a'"),
        ('infected_only = "no"', r"infected_only = 'no'. Give true or false"),
    ],
)
def test_options_of_the_wrong_kind_are_refused(options: str, message: str) -> None:
    text = TABLES + f'like = {{ name = "adults_19_28z", {options} }}\n'
    with pytest.raises(ConfigError, match=message):
        read_text(text)
