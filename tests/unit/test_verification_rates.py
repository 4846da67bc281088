"""Rows of counted patients: intervals against known values, failed patients left out."""

from __future__ import annotations

import numpy as np
import pytest

from carsim.model import Assumed
from carsim.verification import counted, percentage

SOURCE = Assumed("a test")


def test_a_count_is_tolerated_within_its_exact_interval() -> None:
    """2 of 30: Clopper and Pearson give 0.8 to 22.1 %, as Li 2021 prints."""
    row = counted("reactivation", 2, 30, np.array([1.0] * 5 + [0.0] * 95), SOURCE)
    assert row.published == pytest.approx(100.0 * 2 / 30)
    assert (row.lowest, row.highest) == pytest.approx((0.8, 22.1), abs=0.05)
    assert row.found == pytest.approx(5.0)
    # Wilson's interval of 5 of 100.
    assert row.interval == pytest.approx((2.15, 11.18), abs=0.01)
    assert row.inside


def test_failed_patients_do_not_count() -> None:
    row = counted("events", 1, 4, np.array([1.0, 0.0, np.nan, np.nan]), SOURCE)
    assert row.found == pytest.approx(50.0)


def test_without_any_patient_the_row_is_not_inside() -> None:
    row = counted("events", 1, 4, np.array([np.nan]), SOURCE)
    assert np.isnan(row.found)
    assert not row.inside


def test_given_bounds_replace_the_interval() -> None:
    found = np.array([True, False])
    row = percentage("incidence", 41.5, found, SOURCE, bounds=(29.5, 53.5))
    assert (row.lowest, row.highest) == (29.5, 53.5)
    assert row.published_interval is None
    assert row.inside
