"""Configs that once ended in a traceback, found by tests/fuzz: refused in words, or read."""

from __future__ import annotations

import math
import shutil
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner

from carsim.cli import LONGEST, main, paragraph
from carsim.config import read_text
from carsim.design import Axis, Grid
from carsim.endpoints import HBVReactivation
from carsim.errors import ConfigError, ModelError, ScenarioError
from carsim.population import LogitNormal, LogNormal
from carsim.registry import load_model
from carsim.simulation import simulate
from carsim.therapy import Assay, read_events
from carsim.therapy.strategies import CytokineReleaseCare

CLINIC = Path(__file__).resolve().parents[1] / "fuzz" / "clinic.py"

HEAD = """
model = "./clinic.py"
[time]
stop = 40.0
save_every = 10.0
[metrics.peak]
kind = "maximum"
of = "hbv_dna"
"""

ANTIVIRAL = """
model = "cart_hbv"
[time]
stop = 40.0
[therapy.antiviral]
kind = "preemptive"
every = 5e-324
consolidation = 6.0
"""


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            "[endpoints.hbv_reactivation]\nbaseline = { day = 1.0 }",
            r"endpoints.hbv_reactivation: .*baseline = \{'day': 1.0\} must be a day, 'start' or",
        ),
        (
            "[endpoints.hbv_reactivation]\nbaseline = [0.0, 1.0]",
            r"endpoints.hbv_reactivation: .*baseline = \(0.0, 1.0\) must be a day",
        ),
        (
            "[endpoints.hbv_reactivation]\nevery = 1e-7",
            r"endpoints.hbv_reactivation: every = 1e-07 makes 4e\+08 visits .* more than 100,000",
        ),
        (
            '[therapy.wash]\nkind = "reset"\nstates = 3.0',
            r"therapy.wash: Reset: states = 3.0 is not a list of names of states",
        ),
        (
            '[therapy.pill]\nkind = "dose"\ninto = "oral"\namount = 1.0\nat = -1e308\nevery = 1e-5',
            r"therapy.pill: every = 1e-05 makes inf repeats for one patient",
        ),
        ('title = "a\\u0000b"\n', r"title: has a character NUL in it. Remove it"),
        ('[metrics."a\\u0000b"]\nkind = "last"', r"has a character NUL in it"),
        (
            "[[sweep.axes]]\npath = 'parameters.decay'\nlow = 0.01\nhigh = 0.1",
            r"sweep: axis 'parameters.decay': a grid or a list needs its values",
        ),
        (
            "[population]\nsize = 3\n[population.parameters]\n"
            "growth = { distribution = 'lognormal', sigma = 1e308, upper = 1.0 }",
            r"population.parameters.growth: lognormal .* standard deviation 1e\+308",
        ),
        (
            f"[events]\nfile = '{'x' * 5000}'",
            r"events: .*there is no such file",
        ),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key(table: str, message: str) -> None:
    text = table + HEAD if table.startswith("title") else HEAD + table
    with pytest.raises(ConfigError, match=message) as refusal:
        read_text(text, source="clinic.toml", folder=CLINIC.parent)
    assert str(refusal.value).startswith("clinic.toml: ")


def test_endless_visits_of_a_consolidation_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"antiviral: Preemptive: every = .* makes inf visits in"):
        read_text(ANTIVIRAL)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "dexamethasone_every = 5e-324",
            r"crs: .*dexamethasone_every = 4.9.*-324 makes inf visits",
        ),
        ("refractory_after = 1e308", r"crs: CytokineReleaseCare: dexamethasone_every = 0.25 makes"),
        ("tocilizumab_every = 5e-324", r"crs: .*allows 4 doses in 24 hours, and 3 are the most"),
    ],
)
def test_endless_visits_of_cytokine_release_care_are_refused(setting: str, message: str) -> None:
    crs = '[therapy.crs]\nkind = "cytokine_release_care"\n'
    with pytest.raises(ConfigError, match=message):
        read_text(f'model = "cart_hbv"\n[time]\nstop = 40.0\n{crs}{setting}\n')


def test_tocilizumab_has_a_largest_dose_for_every_weight() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert CytokineReleaseCare(weight=1e308).tocilizumab_amount == 800.0


def test_the_ends_of_an_axis_can_be_counted_with() -> None:
    for scale, low, high in (("log", 1e-300, 1e300), ("linear", -1e308, 1e308)):
        with pytest.raises(ScenarioError, match=r"axis 'a': low = .* too far apart to count with"):
            Axis("a", low=low, high=high, scale=scale)
    assert Grid([Axis("a", low=-1e307, high=1e307, points=3)]).shape == (3,)


def test_no_spread_is_wider_than_numbers_are() -> None:
    for make in (
        lambda: LogNormal(1.0, sigma=701.0, upper=2.0),
        lambda: LogitNormal(0.5, 1e308),
    ):
        with pytest.raises(ScenarioError, match=r"No numbers are so far apart: stay below 700"):
            make()
    assert LogNormal(1.0, cv=1e150).spread < 700.0


def test_a_day_of_numpy_is_a_baseline() -> None:
    import numpy as np

    assert HBVReactivation(baseline=np.float64(3.0)).baseline == 3.0
    with pytest.raises(ScenarioError, match="baseline = True must be a day"):
        HBVReactivation(baseline=True)


def test_a_hazard_next_to_nothing_never_happens() -> None:
    harm = '[therapy.harm]\nkind = "hazard"\nrate = "harm"\nscale = 5e-324\n'
    do = 'do = [{ action = "set_state", state = "drug", value = 1.0 }]\n'
    scenario = read_text(HEAD + harm + do, folder=CLINIC.parent).scenario
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert simulate(scenario).sizes.get("event", 0) == 0


def test_a_dose_beyond_all_numbers_is_refused() -> None:
    pill = '[therapy.pill]\nkind = "dose"\ninto = "oral"\namount = 10.0\nat = 1.0\n'
    scenario = read_text(HEAD + pill + "bioavailability = 1e308", folder=CLINIC.parent).scenario
    with pytest.raises(ScenarioError, match=r"therapy.pill: amount times bioavailability is lar"):
        simulate(scenario)


def test_figures_of_a_run_that_failed_are_no_reason_to_warn(tmp_path: Path) -> None:
    file = tmp_path / "failed.toml"
    shutil.copy(CLINIC, tmp_path)
    file.write_text(HEAD + '[outputs]\nsave = ["hbv_dna"]\n[solver]\nmax_steps = 1')
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = CliRunner().invoke(main, ["run", str(file), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "failed" in result.output


def test_an_assay_may_be_as_bad_as_numbers_are_large() -> None:
    assert Assay(cv=1e308).log_sd == pytest.approx(math.sqrt(2 * 308 * math.log(10.0)))
    assert Assay(cv=1.01e100).log_sd == pytest.approx(Assay(cv=0.99e100).log_sd, rel=1e-3)


def test_names_that_no_file_can_have_are_no_files() -> None:
    long = f"./{'x' * 5000}.py"
    with pytest.raises(ModelError, match="there is no such file"):
        load_model(long)
    with pytest.raises(ScenarioError, match="there is no such file"):
        read_events(f"{'x' * 5000}/{'y' * 5000}.csv", load_model(str(CLINIC)))


@pytest.mark.parametrize("option", ["model", "size", "seed", "name_"])
def test_an_option_of_a_population_is_not_its_size(option: str) -> None:
    text = (
        'model = "cart_hbv"\n[time]\nstop = 1.0\n[population]\nsize = 3\n'
        f'like = {{ name = "adults_19_28z", {option} = 3 }}\n'
    )
    with pytest.raises(ConfigError, match=rf"population.like: .* has no option '{option}'"):
        read_text(text)


def test_a_refusal_is_a_paragraph_that_a_terminal_can_show(tmp_path: Path) -> None:
    assert paragraph("a\n  b") == "a b"
    # Neither colors nor text from right to left reach the terminal of who reads a foreign file.
    assert paragraph("x = \x1b[31m \u202e é 日本") == "x = \\x1b[31m \\u202e é 日本"
    long = paragraph("where: " + "x" * 10_000 + " Do this.")
    assert len(long) < LONGEST + 10
    assert long.startswith("where: x")
    assert long.endswith("x Do this.")
    file = tmp_path / "odd.toml"
    file.write_text('"\\u001b[31m" = 1\n' + "\n".join(f"x{i} = 1" for i in range(2000)))
    result = CliRunner().invoke(main, ["check", str(file)])
    assert result.exit_code == 2
    assert result.stderr.strip().isprintable()
    assert "\\x1b[31m: unknown key" in result.stderr
