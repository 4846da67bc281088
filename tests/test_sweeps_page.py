"""What docs/sweeps.md shows is run; its scripts for clusters are parsed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from carsim.cli import main

SMALL = ("--set", "population.size=5", "--set", "time.stop=120.0")


@pytest.fixture
def page(repository: Path) -> str:
    return (repository / "docs/sweeps.md").read_text()


@pytest.mark.slow
def test_the_commands_and_the_blocks_run(
    page: str, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(repository / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^carsim (.*results/strategies.*)$", page, re.M)
    assert [command.split()[0] for command in commands] == ["sweep", "sweep", "status", "rerun"]
    for command in commands:
        arguments = command.split()
        options = (*SMALL, "--no-figures") if arguments[0] == "sweep" else ()
        found = CliRunner().invoke(main, [*arguments, *options])
        assert found.exit_code == 0, found.output
    names: dict[str, Any] = {}
    blocks = re.findall(r"<!-- executed -->\n```python\n(.*?)```", page, re.S)
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, "docs/sweeps.md", "exec"), names)
    assert names["risk"].dims == ("serostatus", "strategy")


def test_the_scripts_for_clusters_are_python(page: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len(blocks) == 4
    for block in blocks:
        compile(block, "docs/sweeps.md", "exec")
