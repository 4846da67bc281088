"""The places where CAR-T cells meet CD19+ cells."""

from typing import NamedTuple


class Sites(NamedTuple):
    """One quantity in each place.

    Attributes
    ----------
    blood, marrow, extramedullary : float
        In the unit of the quantity.
    """

    blood: float
    marrow: float
    extramedullary: float
