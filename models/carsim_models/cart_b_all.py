"""CAR-T cell therapy of B-cell leukemia: the CAR-T side of cart_hbv alone.

CAR-T cells (memory, effector, exhausted) in blood and marrow, CD19-positive and CD19-negative
leukemia, B cells, plasma cells and IgG, the patient's T cells and lymphodepletion, cytokines,
tocilizumab and dexamethasone. The equations are those of the package cart_hbv.
"""

from carsim import Model
from carsim_models.cart_hbv import car_t_side
from carsim_models.cart_hbv.car_t_observables import OBSERVABLES
from carsim_models.cart_hbv.car_t_side import CarTSide, CarTSideRates
from carsim_models.cart_hbv.products import PRODUCTS


def rhs(t: float, y: CarTSide, p: CarTSideRates) -> CarTSide:
    """Return the rates of change."""
    return car_t_side.derivatives(y, p)


MODEL = Model(
    "cart_b_all",
    rhs,
    CarTSide,
    CarTSideRates,
    time_unit="day",
    observables=OBSERVABLES,
    routes=(*car_t_side.ROUTES, car_t_side.IVIG),
    variants=PRODUCTS,
    initial=car_t_side.initial,
    area="composed",
)
