"""What the README shows is run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


def test_the_ten_lines_run(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (repository / "README.md").read_text(), re.S)
    assert blocks, "README.md has no python block"
    for number, block in enumerate(blocks):
        exec(compile(block, f"README.md python block {number}", "exec"), {})
    assert "hbv_dna" in capsys.readouterr().out


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "CONTRIBUTING.md",
        "docs/index.md",
        "docs/verification.md",
        "benchmarks/README.md",
    ],
)
def test_links_lead_somewhere(repository: Path, page: str) -> None:
    text = (repository / page).read_text()
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    missing = [
        target for target in targets if not (repository / page).parent.joinpath(target).exists()
    ]
    assert missing == []
