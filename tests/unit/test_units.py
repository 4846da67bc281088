"""Units in one spelling, and the arithmetic of quantities."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carsim import math as cm
from carsim.errors import ModelError
from carsim.units import SYMBOLS, Quantity, conversion_factor, convert, parse_unit, udunits

CELLS = Quantity(2.0, "cell/mL")
VIRIONS = Quantity(3.0, "virion/mL")
PLAIN = Quantity(0.5, "1")


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        ("1", "1"),
        ("%", "%"),
        ("1/day", "1/day"),
        ("U/L", "U/L"),
        ("copy/ug", "copy/ug"),
        ("cell/uL", "cell/uL"),
        ("mIU/mL", "mIU/mL"),
        ("pg/mL/day/cell", "pg/cell/day/mL"),
        ("kg/m2", "kg/m^2"),
        ("m3", "m^3"),
        ("cell^2/mL", "cell^2/mL"),
        ("mL*cell/mL", "cell"),
        ("cell^0.5", "cell^(1/2)"),
        (" mg / L ", "mg/L"),
    ],
)
def test_units_are_read_and_spelt(text: str, spelt: str) -> None:
    assert str(parse_unit(text)) == spelt
    assert parse_unit(text) == parse_unit(text.strip())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cell/ml", "unknown unit 'ml'. Did you mean 'mL'"),
        ("cells", "Did you mean 'cell'"),
        ("1/days", "Did you mean 'day'"),
        ("furlong", "unknown unit 'furlong'. Known: "),
        ("cell/(mL*day)", "without parentheses"),
        ("cell//mL", "cannot read ''"),
        ("2/day", "cannot read '2'"),
        ("", "'' is not a unit"),
        ("  ", "is not a unit"),
    ],
)
def test_wrong_units_are_refused(text: str, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        parse_unit(text)
    assert message in str(caught.value)


def test_a_unit_that_is_no_text_is_refused() -> None:
    with pytest.raises(ModelError, match="None is not a unit"):
        parse_unit(None)


def test_equal_units_may_be_written_differently() -> None:
    assert parse_unit("mg/L") == parse_unit("ug/mL")
    assert hash(parse_unit("mg/L")) == hash(parse_unit("ug/mL"))
    assert parse_unit("mg/L") != parse_unit("mg/mL")
    assert parse_unit("cell") != parse_unit("virion")
    assert parse_unit("cell") != "cell"


@pytest.mark.parametrize(
    ("from_", "to", "factor"),
    [
        ("g", "mg", 1e3),
        ("day", "hour", 24.0),
        ("week", "day", 7.0),
        ("1/hour", "1/day", 24.0),
        ("m3", "L", 1e3),
        ("cm^3", "mL", 1.0),
        ("cell/uL", "cell/mL", 1e3),
        ("mIU/mL", "IU/L", 1.0),
        ("%", "1", 0.01),
        ("pg/mL", "ng/mL", 1e-3),
    ],
)
def test_conversion_factor(from_: str, to: str, factor: float) -> None:
    assert conversion_factor(from_, to) == pytest.approx(factor, rel=1e-12)


def test_conversion_between_different_things_is_refused() -> None:
    with pytest.raises(ModelError, match=r"\[IU/mL\] cannot be converted to \[copy/mL\]"):
        conversion_factor("IU/mL", "copy/mL")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("IU/mL", "mL-1"),
        ("cell/uL", "uL-1"),
        ("day", "d"),
        ("1", "1"),
        ("cell", "1"),
        ("%", "%"),
        ("pg/mL", "pg mL-1"),
        ("U/L", "L-1"),
        ("mL/virion/day", "mL d-1"),
        ("kg/m2", "kg m-2"),
        ("mIU/mL", "0.001 mL-1"),
        ("year", "365.25 d"),
        ("g/L", "g L-1"),
    ],
)
def test_units_of_the_cf_conventions(text: str, expected: str) -> None:
    assert udunits(text) == expected


def test_cf_has_no_fractional_exponents() -> None:
    assert udunits("cell^0.5") == "1"
    with pytest.raises(ModelError, match="no fractional exponents"):
        udunits("mL^0.5")


@given(
    st.dictionaries(st.sampled_from(sorted(SYMBOLS)), st.integers(-3, 3), max_size=4),
    st.dictionaries(st.sampled_from(sorted(SYMBOLS)), st.integers(-3, 3), max_size=4),
)
def test_products_and_quotients_cancel(one: dict[str, int], other: dict[str, int]) -> None:
    a, b = (
        parse_unit("*".join(f"{symbol}^{n}" for symbol, n in part.items()) or "1")
        for part in (one, other)
    )
    assert a * b / b == a
    assert (a / b) * (b / a) == parse_unit("1")
    assert a**2 == a * a


def test_quantities_multiply_their_units() -> None:
    infection = Quantity(5e-8, "mL/virion/day") * Quantity(1e7, "cell/mL") * VIRIONS
    assert str(infection.unit) == "cell/day/mL"
    assert infection.value == pytest.approx(1.5)
    assert str((1.0 / CELLS).unit) == "mL/cell"
    assert str((CELLS / 2).unit) == "cell/mL"
    assert str((np.float64(2.0) * CELLS).unit) == "cell/mL"


def test_sums_keep_their_unit() -> None:
    assert repr(CELLS + CELLS) == "Quantity(4.0, 'cell/mL')"
    assert repr(CELLS - CELLS) == "Quantity(0.0, 'cell/mL')"
    assert repr(-CELLS) == "Quantity(-2.0, 'cell/mL')"
    assert repr(+CELLS) == repr(abs(-CELLS)) == repr(CELLS)
    assert repr(1.0 - PLAIN) == "Quantity(0.5, '1')"
    assert repr(1.0 + PLAIN) == "Quantity(1.5, '1')"


def test_a_literal_zero_goes_with_every_unit() -> None:
    assert (CELLS + 0).unit == CELLS.unit
    assert (0.0 - CELLS).unit == CELLS.unit
    assert sum([CELLS, CELLS]).unit == CELLS.unit  # type: ignore[union-attr]
    assert CELLS > 0
    assert cm.minimum(CELLS, math.inf).unit == CELLS.unit
    assert cm.where(CELLS > 0.0, CELLS, 0.0).unit == CELLS.unit
    assert cm.where(False, 0.0, CELLS).value == 2.0


def test_comparisons_are_true_or_false() -> None:
    assert CELLS < 2 * CELLS
    assert CELLS <= CELLS
    assert CELLS >= CELLS
    assert Quantity(2.0, "cell/mL") == CELLS


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (lambda: CELLS + VIRIONS, r"\[cell/mL\] \+ \[virion/mL\]: the two sides measure different"),
        (lambda: CELLS - VIRIONS, r"\[cell/mL\] - \[virion/mL\]"),
        (lambda: CELLS + Quantity(1.0, "cell/uL"), r"factor of 0\.001\. Use carsim\.units\.conv"),
        (lambda: CELLS + 1.0, r"\[cell/mL\] \+ 1: "),
        (lambda: 1.0 - CELLS, r"1 - \[cell/mL\]: "),
        (lambda: CELLS > 5.0, r"\[cell/mL\] > 5: "),
        (lambda: CELLS < VIRIONS, r"\[cell/mL\] < \[virion/mL\]"),
        (lambda: CELLS == VIRIONS, r"\[cell/mL\] == \[virion/mL\]"),
        (lambda: Quantity(5.0, "%") + 1.0, r"\[%\] \+ 1: the same kind .* factor of 0\.01"),
        (lambda: CELLS**PLAIN, "would depend on the value of the parameter"),
        (lambda: CELLS**math.pi, "a whole number or a simple fraction only"),
        (lambda: 2.0**CELLS, r"2\.0 \*\* \[cell/mL\]: the argument must be a plain number"),
        (lambda: PLAIN**CELLS, r"\[1\] \*\* \[cell/mL\]: the argument must be a plain number"),
        (lambda: cm.exp(CELLS), r"exp of \[cell/mL\]: the argument must be a plain number"),
        (lambda: cm.log(CELLS), r"log of \[cell/mL\]"),
        (lambda: cm.tanh(CELLS), r"tanh of \[cell/mL\]"),
        (lambda: cm.hill(CELLS, VIRIONS), r"hill\(\[cell/mL\], \[virion/mL\]\)"),
        (lambda: cm.hill(CELLS, 3.0), r"hill\(\[cell/mL\], 3\)"),
        (lambda: cm.hill(CELLS, CELLS, CELLS), r"exponent \[cell/mL\]: the argument must be"),
        (lambda: cm.power(CELLS, PLAIN), "unit of the result would depend"),
        (lambda: cm.minimum(CELLS, VIRIONS), r"minimum\(\[cell/mL\], \[virion/mL\]\)"),
        (lambda: cm.maximum(CELLS, 1.0), r"maximum\(\[cell/mL\], 1\)"),
        (lambda: cm.where(True, CELLS, VIRIONS), r"where\(condition, \[cell/mL\], \[virion/mL\]\)"),
        (lambda: cm.where(CELLS, CELLS, CELLS), "the first argument is not a comparison"),
        (lambda: bool(CELLS), "is used as a condition"),
        (lambda: convert(CELLS, "cell/uL", "cell/L"), r"the value is in \[cell/mL\], not in"),
    ],
)
def test_dimensions_that_do_not_fit_are_refused(operation: Callable[[], Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        operation()


@pytest.mark.parametrize(
    ("result", "value", "unit"),
    [
        (CELLS**2, 4.0, "cell^2/mL^2"),
        (CELLS**-1, 0.5, "mL/cell"),
        (CELLS**0.5, 2**0.5, "cell^0.5/mL^0.5"),
        (2.0**PLAIN, 2**0.5, "1"),
        (PLAIN**PLAIN, 0.5**0.5, "1"),
        (cm.sqrt(Quantity(4.0, "mL^2")), 2.0, "mL"),
        (cm.exp(PLAIN), math.exp(0.5), "1"),
        (cm.log(PLAIN), math.log(0.5), "1"),
        (cm.tanh(PLAIN), math.tanh(0.5), "1"),
        (cm.abs_(-CELLS), 2.0, "cell/mL"),
        (cm.power(CELLS, 2), 4.0, "cell^2/mL^2"),
        (cm.power(-CELLS, 2), 0.0, "cell^2/mL^2"),
        (cm.power(PLAIN, Quantity(2.0, "1")), 0.25, "1"),
        (cm.hill(CELLS, Quantity(6.0, "cell/mL")), 0.25, "1"),
        (cm.hill(CELLS, CELLS, PLAIN), 0.5, "1"),
        (cm.hill(0.0, CELLS), 0.0, "1"),
        (cm.maximum(CELLS, 2 * CELLS), 4.0, "cell/mL"),
        (convert(CELLS, "cell/mL", "cell/uL"), 2e-3, "cell/uL"),
    ],
)
def test_functions_of_quantities(result: Quantity, value: float, unit: str) -> None:
    assert result.value == pytest.approx(value)
    assert result.unit == parse_unit(unit)


@pytest.mark.parametrize(
    ("result", "value"),
    [
        (CELLS / Quantity(0.0, "mL"), math.inf),
        (-CELLS / Quantity(0.0, "mL"), -math.inf),
        (Quantity(0.0, "mL") / Quantity(0.0, "mL"), math.nan),
        (cm.exp(Quantity(1e4, "1")), math.inf),
        (cm.log(Quantity(0.0, "1")), -math.inf),
        (cm.log(Quantity(-1.0, "1")), math.nan),
        (cm.sqrt(Quantity(-1.0, "1")), math.nan),
        (Quantity(0.0, "1") ** -1, math.inf),
    ],
)
def test_quantities_follow_ieee_arithmetic(result: Quantity, value: float) -> None:
    np.testing.assert_equal(result.value, value)


def test_convert_works_on_plain_numbers_and_arrays() -> None:
    assert convert(5.0, "cell/uL", "cell/mL") == pytest.approx(5000.0)
    np.testing.assert_allclose(convert(np.array([1.0, 2.0]), "g", "mg"), [1e3, 2e3])
