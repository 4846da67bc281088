"""The two places where CAR-T cells meet CD19+ cells."""

from typing import NamedTuple


class Sites(NamedTuple):
    """One quantity in both places.

    Attributes
    ----------
    blood, marrow : float
        In the unit of the quantity.
    """

    blood: float
    marrow: float
