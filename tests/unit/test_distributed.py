"""Who works on a sweep: what is refused before a cluster is asked. Clusters: tests/verification."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import carsim
from carsim.design import Single
from carsim.errors import CarsimError
from carsim.metrics import Maximum
from carsim.scenario import Scenario
from carsim.sweep import Sweep, run_to_store
from carsim.sweep.dask_tasks import Companion
from carsim.sweep.distributed import DaskWorkers


def test_somebody_must_work() -> None:
    with pytest.raises(CarsimError, match=r"say who works: scheduler = 'tcp://HOST:PORT'"):
        DaskWorkers()


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(CarsimError, match=r"need dask.distributed: pip install 'carsim\[dask\]'"):
        DaskWorkers(local_processes=2)


def test_a_worker_with_another_version_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = carsim.load_model(str(Path(__file__).with_name("one_compartment.py")))
    sweep = Sweep(Scenario(model, stop=1.0, metrics={"top": Maximum("central")}), Single())
    run_to_store(sweep, tmp_path)
    companion = Companion(sweep, tmp_path)

    class Worker:
        address = "tcp://far:1"

    companion.setup(Worker())
    assert companion.store.plan.n_blocks == 1
    monkeypatch.setattr(companion, "version", "9.9")
    with pytest.raises(CarsimError, match=r"worker tcp://far:1 has carsim .* started with 9.9"):
        companion.setup(Worker())
