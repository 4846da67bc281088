"""The page on credibility: its blocks run, and what it says of their results holds."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest


def test_blocks_run_and_say_what_the_page_says(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    script = repository / "docs" / "draw_credibility.py"
    spec = importlib.util.spec_from_file_location("draw_credibility", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    names, figures = module.run_all()
    page = (repository / "docs" / "credibility.md").read_text(encoding="utf-8")
    drawn = re.findall(r"\(images/credibility/(\w+)\.png\)", page)
    assert list(figures) == drawn
    for axes in figures.values():
        plt.close(axes.figure)
    for name in drawn:
        assert (repository / "docs" / "images" / "credibility" / f"{name}.png").is_file()

    assert names["citations"].given == ("tau_C",)
    moving = names["flagship"].state.values[~names["flagship"].steady.values]
    assert {name.partition(".")[0] for name in moving} == {"leukemia", "cure"}
    back = names["back"]
    assert 3.0 < float(back.largest.sel(state="hbv.effector")) < 3.6
    assert 700.0 < float(back.time_to_return.sel(state="hbv.effector")) < 900.0
    assert 0.4 < float(back.distance.sel(state="hbv.silenced")[-1]) < 0.6
    assert [law.weights for law in names["laws"]] == [
        {"drug": 1.0, "bound": 1.0, "product": 2.0},
        {"receptor": 1.0, "bound": 1.0},
    ]
    assert not names["sensitivities"].why.values.any()
    changes = names["one_by_one"].sel(output="hbv_reactivation")
    assert changes.pairs_swing.values.tolist() == [499] * 3
    duration = changes.sel(factor="entecavir_duration")
    risks = [float(changes.at_base), float(duration.at_low), float(duration.at_high)]
    assert [round(100.0 * risk) for risk in risks] == [2, 12, 0]
    assert risks[2] == 0.0 < float(duration.swing_lower)
    assert changes.swing_lower.values.tolist()[1:] == [0.0, 0.0]
    indices = names["global_indices"].sel(output="leukemia_median")
    total = indices.total_order.to_pandas()
    assert set(total.sort_values().index[-2:]) == {"tau_C", "rho_C"}
    assert float(indices.first_order.sum()) < 0.97 < 1.05 < total.sum()  # they interact
    drivers = names["drivers"]
    assert str(np.abs(drivers.prcc).sel(output="hbv_reactivation").idxmax("factor").values) == (
        "leukemia.negative_fraction"
    )
    assert drivers.attrs["taken_out"] == "serostatus"
    screen = names["screen"]
    assert screen.attrs["rank"] == 7
    assert np.isinf(screen.attrs["index"])
    scaled = screen.direction_vector.sel(parameter=["rho_C", "initial.L", "initial.B"])[7]
    np.testing.assert_allclose(np.abs(scaled), 1.0 / np.sqrt(3.0), atol=1e-3)
    assert scaled[0] * scaled[1] < 0.0 < scaled[1] * scaled[2]
    assert 1e-7 < float(screen.singular_value[6] / screen.singular_value[0]) < 1e-5
