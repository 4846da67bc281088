"""The page on writing a therapy: every block runs, and its twin in TOML says the same."""

from __future__ import annotations

import doctest
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from carsim.config import read_config


def drawing(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "draw_therapy", repository / "docs" / "draw_therapy.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CONSTRUCTS = (
    *("dose", "infusion", "lag_and_bioavailability", "records", "steady_state", "reset"),
    *("window", "covariate", "rule", "discontinue", "hazard", "regimen", "events"),
)


def test_every_block_has_its_figure_and_its_twin(repository: Path) -> None:
    page = (repository / "docs" / "therapy.md").read_text()
    assert tuple(drawing(repository).blocks()) == CONSTRUCTS
    assert tuple(re.findall(r"\(images/therapy/(\w+)\.png\)", page)) == CONSTRUCTS
    for name in CONSTRUCTS:
        assert (repository / "docs" / "images" / "therapy" / f"{name}.png").is_file()
        assert (repository / "examples" / "therapy" / f"{name}.toml").is_file()


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_blocks_run_and_configs_say_the_same(
    name: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    module = drawing(repository)
    names, result = module.run(module.blocks()[name])
    assert (result["status"] == 0).all()
    assert float(result["concentration"].max()) > 0.1
    scenario = read_config(repository / "examples" / "therapy" / f"{name}.toml").scenario
    assert dict(scenario.therapy) == dict(names["therapy"])


def test_what_the_page_shows_of_a_table_is_what_comes_out(repository: Path) -> None:
    page = (repository / "docs" / "therapy.md").read_text()
    blocks = re.findall(r"```python\n(>>> .*?)```", page, flags=re.DOTALL)
    assert any("at_observations" in block for block in blocks)
    names = drawing(repository).namespace()
    test = doctest.DocTestParser().get_doctest(
        "\n".join(blocks), names, "docs/therapy.md", "docs/therapy.md", 0
    )
    report: list[str] = []
    doctest.DocTestRunner().run(test, out=report.append)
    assert not report, "".join(report)
