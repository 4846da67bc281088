"""The quick checks of ``carsim verify``: every published number that takes no large population."""

from __future__ import annotations

import numpy as np
import pytest

from carsim.verification import Check, load_checks

QUICK = [check for check in load_checks() if check.quick]


@pytest.mark.parametrize("check", QUICK, ids=lambda check: check.name)
def test_published_result(check: Check) -> None:
    rows = check.run().rows
    assert rows
    if check.kind.startswith("cohort"):
        # A clinical row may be outside: the report shows it. It must be a number.
        assert np.isfinite([row.found for row in rows]).all()
        return
    outside = [
        f"{row.quantity}: {row.found:.6g} {row.unit}, published {row.published:.6g}, tolerated "
        f"{row.lowest:.6g} to {row.highest:.6g}"
        for row in rows
        if not row.inside
    ]
    assert not outside, "\n".join(outside)
