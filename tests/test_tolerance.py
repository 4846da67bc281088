"""Which rtol shipped configs may carry, and what `python -m benchmarks.tolerance` measures."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# HBV DNA grows from 1 IU/mL at a rate that brings it to 10 IU/mL, the limit of detection, on day
# 84, a visit: the last one. Whoever grows a millionth faster has reactivated, and nobody else.
CONFIG = """
model = "toy_hbv.py"

[time]
start = 0.0
stop = 90.0

[solver]
rtol = 1e-2

[population]
size = 10
seed = 7

[population.parameters.growth]
distribution = "lognormal"
median = 0.027411727
cv = 1e-5

[sweep]
design = "grid"

[[sweep.axes]]
path = "parameters.surface"
values = [0.01, 0.02]

[endpoints.hbv_reactivation]
[endpoints.peak_hbv_dna]
"""


@pytest.fixture
def tolerance(repository: Path) -> Any:
    """The command, which is not in the wheel."""
    assert (repository / "benchmarks" / "tolerance.py").is_file()
    return importlib.import_module("benchmarks.tolerance")


@pytest.fixture
def config(tmp_path: Path, repository: Path) -> Path:
    """A small sweep of a model whose answers are known."""
    shutil.copy(repository / "tests" / "unit" / "toy_hbv.py", tmp_path)
    file = tmp_path / "small.toml"
    file.write_text(CONFIG)
    return file


@pytest.fixture
def command(
    tolerance: Any, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """Runs the command on it, in blocks of 10 patients, and reads the evidence."""
    monkeypatch.setattr(tolerance, "IN_A_BLOCK", 10)

    def run(*options: str) -> dict[str, Any]:
        out = tmp_path / "out" / "evidence.json"
        out.unlink(missing_ok=True)
        given = [str(config), "--out", str(out), "--blocks", str(tmp_path / "blocks"), *options]
        monkeypatch.setattr(sys, "argv", ["tolerance", *given])
        tolerance.main()
        found: dict[str, Any] = json.loads(out.read_text())
        return found

    return run


def test_a_looser_rtol_is_shipped_with_evidence_only(tolerance: Any, repository: Path) -> None:
    files = sorted((repository / "examples").glob("*.toml"))
    assert files
    assert [words for file in files if (words := tolerance.complaint(file))] == []


def test_flips_and_movements_are_those_of_the_closed_form(
    tolerance: Any, config: Path, command: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    found = command("--patients", "60", "--rtol", "1e-2", "1e-6")
    blocks = tolerance.Blocks(tolerance.swept(config), tmp_path / "blocks", 60)
    assert (blocks.size, len(blocks.numbers)) == (10, 6)
    strict = blocks.read(blocks.numbers, tolerance.REFERENCE)
    loose = blocks.read(blocks.numbers, 1e-2)
    growth = np.log(strict["hbv_dna_peak"]) / 90.0
    happened = np.exp(84.0 * growth) >= 10.0
    assert 0 < happened.sum() < 60
    assert np.array_equal(strict["hbv_reactivation"], happened)
    flips = int((loose["hbv_reactivation"] != happened).sum())
    assert flips > 0
    at_loose, at_strict = (found["tolerances"][rtol] for rtol in ("0.01", "1e-06"))
    assert at_loose["yes_no"] == {
        "hbv_reactivation": flips,
        "hbv_reactivation_seroconversion": 0,
    }
    assert at_strict["yes_no"]["hbv_reactivation"] < flips
    assert f"answers that changed: {flips}" in at_loose["reasons"]
    moved = abs(loose["hbv_dna_peak"] / strict["hbv_dna_peak"] - 1.0)
    peak = at_loose["numbers"]["hbv_dna_peak"]
    assert peak["error_largest"] == pytest.approx(moved.max(), rel=5e-3)
    assert moved.min() <= peak["quantile_movement"] <= moved.max() * 1.01
    for each in (at_loose, at_strict):
        assert each["verdict"] == "not allowed"
        assert "patients compared: 60; 300,000 are needed" in each["reasons"]


def test_it_goes_on_where_it_was_stopped(
    tolerance: Any,
    command: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    computed: list[int] = []
    honest = tolerance.compute_block

    def stops(sweep: Any, trajectories: range, progress: Any) -> Any:
        if len(computed) == 7:
            raise KeyboardInterrupt
        computed.append(sweep.scenario.population.seed)
        return honest(sweep, trajectories, progress)

    monkeypatch.setattr(tolerance, "compute_block", stops)
    stopped = command("--patients", "40", "--rtol", "1e-2")
    assert stopped["patients_asked_for"] == 40
    assert stopped["tolerances"]["0.01"]["patients"] == 30
    assert "goes on from here" in capsys.readouterr().err
    computed.clear()
    whole = command("--patients", "40", "--rtol", "1e-2")
    assert computed == [10]
    assert whole["tolerances"]["0.01"]["patients"] == 40
    monkeypatch.setattr(tolerance, "compute_block", honest)
    assert command("--patients", "40", "--rtol", "1e-2") == whole
    assert "4 of them known" in capsys.readouterr().err


def answers(tolerance: Any, config: Path) -> tuple[Any, dict[str, Any]]:
    """A sweep, and what it may say of two cells with three patients."""
    numbers = {
        "hbv_reactivation": [1.0, 0.0, 0.0, 1.0, 1.0, np.nan],
        "hbv_reactivation_time": [28.0, np.nan, np.nan, 56.0, 84.0, np.nan],
        "hbv_reactivation_dna": [50.0, np.nan, np.nan, 20.0, 40.0, np.nan],
        "hbv_reactivation_seroconversion": [0.0, 0.0, 0.0, 0.0, 0.0, np.nan],
        "hbv_dna_peak": [60.0, 5.0, 0.0, 20.0, 40.0, np.nan],
        "hbv_dna_peak_time": [80.0, 1.0, 0.0, 90.0, 90.0, np.nan],
    }
    found: dict[str, Any] = {name: np.array(each) for name, each in numbers.items()}
    found[tolerance.CELL] = np.array([0, 0, 0, 1, 1, 1])
    found[tolerance.STATUS] = np.array([0, 0, 0, 0, 0, 4], dtype=np.int16)
    found[tolerance.STEPS] = np.full(6, 100)
    return tolerance.swept(config), found


def test_nothing_has_moved_between_equal_results(tolerance: Any, config: Path) -> None:
    sweep, strict = answers(tolerance, config)
    found = tolerance.compare(sweep, strict, strict)
    assert (found["patients"], found["compared"], found["failed_at_both"]) == (6, 5, 1)
    assert (found["flips"], found["quantile_movement"]) == (0, 0.0)


@pytest.mark.parametrize("other", [0.0, np.nan], ids=["no", "not defined"])
def test_a_yes_that_is_something_else_is_a_flip(tolerance: Any, config: Path, other: float) -> None:
    sweep, strict = answers(tolerance, config)
    loose = {name: each.copy() for name, each in strict.items()}
    loose["hbv_reactivation"][3] = other
    found = tolerance.compare(sweep, loose, strict)
    assert found["yes_no"] == {"hbv_reactivation": 1, "hbv_reactivation_seroconversion": 0}


def test_a_patient_who_fails_once_is_counted(tolerance: Any, config: Path) -> None:
    sweep, strict = answers(tolerance, config)
    loose = {name: each.copy() for name, each in strict.items()}
    loose[tolerance.STATUS][1] = 1
    found = tolerance.compare(sweep, loose, strict)
    assert (found["failed_at_this_only"], found["failed_at_the_strict_only"]) == (1, 0)
    assert (found["compared"], found["flips"]) == (4, 0)
    assert "patients that failed at one of the two tolerances only: 1" in found["reasons"]


def test_quantiles_are_compared_cell_by_cell(tolerance: Any, config: Path) -> None:
    sweep, strict = answers(tolerance, config)
    loose = {name: each.copy() for name, each in strict.items()}
    loose["hbv_dna_peak"][3:] *= 1.002
    found = tolerance.compare(sweep, loose, strict)
    peak = found["numbers"]["hbv_dna_peak"]
    assert (peak["quantile_movement"], peak["in_cell"]) == (pytest.approx(0.002), 1)
    assert found["quantile_movement"] == peak["quantile_movement"]
    assert "a quantile moved by 0.2 %, at most 0.1 % is allowed" in found["reasons"]
    # A quantile that was 0 and one that nobody had are infinitely far.
    for name, cell, value in (("hbv_dna_peak", 0, 0.0), ("hbv_reactivation_dna", 1, np.nan)):
        lost = {key: each.copy() for key, each in strict.items()}
        lost[name][strict[tolerance.CELL] == cell] = value
        assert tolerance.compare(sweep, strict, lost)["quantile_movement"] is None


def test_evidence_is_of_this_model_and_this_config(
    tolerance: Any, config: Path, tmp_path: Path
) -> None:
    sweep, strict = answers(tolerance, config)
    assert "without small.tolerance.json" in tolerance.complaint(config)
    known = {
        "model_hash": sweep.scenario.model.hash,
        "settings": tolerance.settings_of(sweep),
        "tolerances": {"0.01": tolerance.compare(sweep, strict, strict) | {"compared": 300_000}},
    }
    file = tmp_path / "small.tolerance.json"
    file.write_text(json.dumps(known))
    assert tolerance.complaint(config) == ""
    # How many patients, who they are, and what is saved of examples make no difference.
    more = CONFIG.replace("size = 10", "size = 1000").replace("seed = 7", "seed = 8")
    config.write_text(more + '\n[outputs]\nsave = ["hbv_dna"]\n')
    assert tolerance.complaint(config) == ""
    config.write_text(CONFIG.replace("rtol = 1e-2", "rtol = 1e-3"))
    assert "does not know rtol = 0.001" in tolerance.complaint(config)
    config.write_text(CONFIG.replace("stop = 90.0", "stop = 95.0"))
    assert "of another config" in tolerance.complaint(config)
    config.write_text(CONFIG.replace("[solver]\nrtol = 1e-2", ""))
    assert tolerance.complaint(config) == ""
    config.write_text(CONFIG)
    known["tolerances"]["0.01"]["flips"] = 2
    file.write_text(json.dumps(known))
    assert "is not allowed: answers that changed: 2" in tolerance.complaint(config)
    known["tolerances"]["0.01"]["flips"] = 0
    file.write_text(json.dumps(known))
    model = (tmp_path / "toy_hbv.py").read_text()
    # Another file, as a model is loaded once.
    (tmp_path / "changed.py").write_text(model.replace("state(1.0,", "state(1.5,"))
    config.write_text(CONFIG.replace("toy_hbv.py", "changed.py"))
    assert "of another model" in tolerance.complaint(config)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("[sweep]", "[sweeps]", "sweeps"),
        ('path = "parameters.surface"\nvalues = [0.01, 0.02]',
         'path = "solver.rtol"\nvalues = [1e-3, 1e-4]', "Leave it out of \\[sweep\\]"),
        ('design = "grid"', 'design = "gird"', "grid"),
    ],
)  # fmt: skip
def test_bad_configs_are_refused_in_words(
    command: Callable[..., dict[str, Any]], config: Path, before: str, after: str, words: str
) -> None:
    assert before in CONFIG
    config.write_text(CONFIG.replace(before, after))
    with pytest.raises(SystemExit, match=words):
        command()


def test_bad_options_are_refused_in_words(
    command: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    for options, words in (
        (("--rtol", "1"), "not a number from 1e-13 to 0.1"),
        (("--patients", "0"), "not a whole number of 1 or more"),
    ):
        with pytest.raises(SystemExit, match="2"):
            command(*options)
        assert words in capsys.readouterr().err
    with pytest.raises(SystemExit, match="not looser than the strict 1e-09"):
        command("--rtol", "1e-10")
