"""The worked example: what it promises, and a small run of it up to the figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from carsim.config import read_config
from carsim.plots import write_sweep_figures
from carsim.sweep import Sweep, examples, run


def demo(repository: Path, *overrides: str) -> Sweep:
    config = read_config(repository / "examples" / "prophylaxis_by_depletion.toml", overrides)
    assert config.sweep is not None
    return config.sweep


def test_the_demo_is_what_its_first_lines_say(repository: Path) -> None:
    sweep = demo(repository)
    assert sweep.design.dims == ("serostatus", "prophylaxis", "depth")
    assert sweep.design.shape == (3, 6, 5)
    assert sweep.n_trajectories == 36_000
    text = (repository / "examples" / "prophylaxis_by_depletion.toml").read_text()
    assert "36,000 courses of 18 months" in text


@pytest.mark.slow
def test_a_small_demo_runs_up_to_the_figures(repository: Path, tmp_path: Path) -> None:
    sweep = demo(repository, "population.size=12")
    result = run(sweep)
    assert (result["status"] == 0).all()
    event = result["hbv_reactivation"]
    assert set(np.unique(event.values)) <= {0.0, 1.0}
    carriers = event.sel(serostatus="HBsAg positive, inactive", depth=1.5).mean("patient")
    assert float(carriers.sel(prophylaxis=0.0)) > float(carriers.sel(prophylaxis=548.0))
    written = write_sweep_figures(result, tmp_path, examples(sweep, result))
    assert [path.name for path in written] == [
        "risk_map.png",
        "cumulative_incidence.png",
        "example_trajectories.png",
    ]
