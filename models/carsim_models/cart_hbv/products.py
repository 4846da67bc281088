"""CAR-T products as variants: what differs from the defaults, which are 19-BBz.

The directions follow data (CD28: fast expansion, weeks to months of persistence; 4-1BB: slower,
lasting; TLR2: more expansion and persistence in mice). The sizes are ours: no fit of any model to
1928zT2 patients is published.
"""

from carsim import Assumed, variant

SIZE = Assumed("direction from clinical data, size set by hand")

PRODUCTS = (
    variant("19-BBz", "CD19 CAR with 4-1BB, such as tisagenlecleucel", {}, group="product"),
    variant(
        "19-28z",
        "CD19 CAR with CD28",
        {
            "cart.r_E": (1.5, SIZE),
            "cart.d_E": (0.20, SIZE),
            "cart.k_X": (0.08, SIZE),
            "cart.eta": (0.0012, SIZE),
            "cart.d_M": (0.02, SIZE),
        },
        group="product",
    ),
    variant(
        "1928zT2",
        "CD19 CAR with CD28 and TLR2",
        {
            "cart.r_E": (1.55, SIZE),
            "cart.d_E": (0.17, SIZE),
            "cart.k_X": (0.04, SIZE),
            "cart.eta": (0.003, SIZE),
            "cart.d_M": (0.008, SIZE),
            "cart.g": (2.6, SIZE),
        },
        group="product",
    ),
)
