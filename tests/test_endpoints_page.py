"""The page on endpoints: its examples run and print what it says."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

from carsim.endpoints import DEFINITIONS, MORTALITY


def test_examples_print_what_the_page_says(repository: Path) -> None:
    page = (repository / "docs" / "endpoints.md").read_text()
    blocks = re.findall(r"```python\n(>>> .*?)```", page, flags=re.DOTALL)
    assert len(blocks) == 6
    test = doctest.DocTestParser().get_doctest(
        "\n".join(blocks), {}, "docs/endpoints.md", "docs/endpoints.md", 0
    )
    report: list[str] = []
    doctest.DocTestRunner().run(test, out=report.append)
    assert not report, "".join(report)


def test_page_names_every_definition_and_mortality(repository: Path) -> None:
    page = (repository / "docs" / "endpoints.md").read_text()
    for name in DEFINITIONS:
        assert name in page
    for name, mortality in MORTALITY.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| {name}"))
        cells = [cell.strip() for cell in row.split("|")]
        assert float(cells[3]) == float(f"{mortality.in_remission:.1e}")
        assert float(cells[4]) == float(f"{mortality.after_failure:.2e}")
