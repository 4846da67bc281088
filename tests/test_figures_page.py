"""The page of figures: its blocks run on small cohorts, and every figure stands on the page."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import matplotlib.pyplot as plt
import pytest
from matplotlib.axes import Axes

from carsim import plots

LARGEST_IMAGE = 150_000  # bytes: the page stays light in a checkout


def drawing(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "draw_figures", repository / "docs" / "draw_figures.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_blocks_run_and_have_their_images(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    module = drawing(repository)
    names, figures = module.run_all(patients=40)
    try:
        page = (repository / "docs" / "figures.md").read_text(encoding="utf-8")
        drawn = re.findall(r"\(images/figures/(\w+)\.png\)", page)
        assert list(figures) == drawn
        assert all(isinstance(ax, Axes) for ax in figures.values())
        assert set(module.SIZES) <= set(drawn)
        for name, ax in figures.items():
            image = repository / "docs" / "images" / "figures" / f"{name}.png"
            assert 5_000 < image.stat().st_size < LARGEST_IMAGE
            assert ax.get_xlabel(), name
            assert ax.get_ylabel() or name in ("differences",), name
        assert names["cohort"].sizes["patient"] == 40
    finally:
        plt.close("all")


def test_the_page_names_every_figure_function(repository: Path) -> None:
    page = (repository / "docs" / "figures.md").read_text(encoding="utf-8")
    helpers = {"as_png", "write_run_figures", "write_sweep_figures"}
    functions = {name for name in plots.__all__ if name.islower()} - helpers
    missing = {name for name in functions if not re.search(rf"\b{name}\b", page)}
    assert not missing
