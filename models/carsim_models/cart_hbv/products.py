"""CAR-T products as variants: what differs from the defaults, which are 19-BBz.

19-BBz and 19-28z are fitted to typical courses (models/calibration/typical_courses.py). No course
of 1928zT2 is published as numbers: its variant is 19-28z moved in the directions that Lai 2018 and
Weng 2018 report (more expansion, longer persistence, stronger killing through TLR2), by sizes of
ours.
"""

from carsim import Assumed, variant
from carsim_models.cart_hbv.sources import COURSES

TLR2 = Assumed("19-28z moved in the direction of Lai 2018 (doi:10.1038/leu.2017.249), size of ours")

PRODUCTS = (
    variant("19-BBz", "CD19 CAR with 4-1BB, such as tisagenlecleucel", {}, group="product"),
    variant(
        "19-28z",
        "CD19 CAR with CD28",
        {
            "cart.r_E": (1.76, COURSES),
            "cart.d_E": (0.252, COURSES),
            "cart.eta": (0.00049, COURSES),
            "cart.d_M": (0.0063, COURSES),
            "cart.f_self": (0.266, COURSES),
            "cart.k_X": (0.061, COURSES),
        },
        group="product",
    ),
    variant(
        "1928zT2",
        "CD19 CAR with CD28 and TLR2",
        {
            "cart.r_E": (1.85, TLR2),
            "cart.d_E": (0.22, TLR2),
            "cart.eta": (0.001, TLR2),
            "cart.d_M": (0.005, TLR2),
            "cart.f_self": (0.4, TLR2),
            "cart.k_X": (0.030, TLR2),
            "cart.g": (2.6, TLR2),
        },
        group="product",
    ),
)
