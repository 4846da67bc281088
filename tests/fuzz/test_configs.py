"""A short run of the fuzzer of configs; the long one is in CONTRIBUTING.md."""

from __future__ import annotations

import random
import shutil
import tomllib
from pathlib import Path

import pytest

from carsim.config import read_text
from carsim.endpoints import ENDPOINTS
from carsim.metrics import METRICS
from carsim.population import DISTRIBUTIONS
from carsim.sensitivity.study import METHODS
from carsim.therapy import ACTIONS, ITEMS
from tests.fuzz.bases import HERE, bases
from tests.fuzz.configs import cases, fuzz
from tests.fuzz.toml import STYLES, damaged, written


@pytest.fixture
def examples(repository: Path) -> Path:
    return repository / "examples"


def test_damaged_configs_are_read_or_refused_in_words() -> None:
    report = fuzz(1, 0, 300, run_share=0.2)
    words = [f"{kind}: {case.number} ({case.base}): {said}" for kind, case, said in report.faults]
    assert not words, "\n".join(words)
    assert report.outcomes["read"] > 15
    assert report.outcomes["refused"] > 150
    assert report.outcomes["run"] > 2


def test_what_is_damaged_was_right_before(examples: Path, tmp_path: Path) -> None:
    for file in (HERE / "clinic.py", *(examples / "therapy").iterdir()):
        shutil.copy(file, tmp_path)
    for base in bases(examples):
        assert read_text(base.text, folder=tmp_path).scenario.model.name, base.name


def test_every_kind_of_table_is_damaged(examples: Path) -> None:
    texts = "\n".join(base.text for base in bases(examples))
    for kind in (*ITEMS, *METRICS):
        assert f'kind = "{kind}"' in texts, kind
    for action in ACTIONS:
        assert f'action = "{action}"' in texts, action
    for distribution in DISTRIBUTIONS:
        assert f'distribution = "{distribution}"' in texts, distribution
    for endpoint in ENDPOINTS:
        assert f"[endpoints.{endpoint}]" in texts, endpoint
    for design in ("grid", "list", "random", "latin_hypercube", "sobol"):
        assert f'design = "{design}"' in texts, design
    for method in METHODS:
        assert f'method = "{method}"' in texts, method


@pytest.mark.parametrize("style", STYLES)
def test_documents_are_written_as_they_are(style: str, examples: Path) -> None:
    for base in bases(examples):
        assert tomllib.loads(written(base.document, style)) == base.document
    odd = {"a b": {"": [1, {"é\x7f": '\n"\\'}], "big": 10**30, "tiny": 5e-324, "minus": -0.0}}
    assert tomllib.loads(written(odd, style)) == odd


def test_a_case_depends_on_its_seed_and_number_only() -> None:
    known = bases(None)
    many = list(cases(3, 0, 40, known))
    assert list(cases(3, 25, 3, known)) == many[25:28]
    assert list(cases(4, 0, 40, known)) != many
    assert damaged("a = 1\n", random.Random(5)) == damaged("a = 1\n", random.Random(5))
