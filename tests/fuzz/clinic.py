"""A model with an observable for every endpoint, small enough to be run thousands of times."""

from carsim import Assumed, Model, Parameters, State, observable, parameter, route, state, variant

INVENTED = Assumed("a test")


class Amounts(State):
    drug: float = state(0.0, "mg", "drug in the body", atol=1e-6)
    cells: float = state(1e9, "cell", "leukemia", INVENTED, atol=1.0)
    virus: float = state(5.0, "IU/mL", "HBV DNA", INVENTED, atol=1e-3)
    car: float = state(1.0, "cell/uL", "CAR-T cells", INVENTED, atol=1e-3)


class Rates(Parameters):
    k: float = parameter(0.5, "1/day", "elimination", INVENTED)
    growth: float = parameter(0.05, "1/day", "growth of the virus", INVENTED)
    kill: float = parameter(0.02, "uL/cell/day", "killing of leukemia", INVENTED)
    effect: float = parameter(0.02, "1/mg/day", "effect of the drug on the virus", INVENTED)
    share: float = parameter(0.5, "1", "share of CD19-negative cells", INVENTED, upper=1.0)
    decay: float = parameter(0.02, "1/day", "loss of CAR-T cells", INVENTED)


def rhs(t: float, y: Amounts, p: Rates) -> Amounts:
    return Amounts(
        drug=-p.k * y.drug,
        cells=-p.kill * y.car * y.cells,
        virus=p.growth * y.virus - p.effect * y.drug * y.virus,
        car=-p.decay * y.car,
    )


@observable("IU/mL", "HBV DNA")
def hbv_dna(t: float, y: Amounts, p: Rates) -> float:
    return y.virus


@observable("IU/mL", "HBsAg")
def hbsag(t: float, y: Amounts, p: Rates) -> float:
    return 0.01 * y.virus


@observable("U/L", "alanine aminotransferase")
def alt(t: float, y: Amounts, p: Rates) -> float:
    return 20.0 + 0.1 * y.virus


@observable("cell", "CD19-positive leukemia")
def leukemia_cd19_positive(t: float, y: Amounts, p: Rates) -> float:
    return (1.0 - p.share) * y.cells


@observable("cell", "CD19-negative leukemia")
def leukemia_cd19_negative(t: float, y: Amounts, p: Rates) -> float:
    return p.share * y.cells


@observable("cell/uL", "CAR-T cells")
def car_t(t: float, y: Amounts, p: Rates) -> float:
    return y.car


@observable("cell/uL", "B cells")
def b_cells(t: float, y: Amounts, p: Rates) -> float:
    return 200.0 / (1.0 + y.car)


@observable("pg/mL", "IL-6")
def il6(t: float, y: Amounts, p: Rates) -> float:
    return 3.0 * y.car


@observable("1", "signal of IL-6")
def il6_signal(t: float, y: Amounts, p: Rates) -> float:
    return y.car / (1.0 + y.car)


@observable("1/day", "hazard of harm")
def harm(t: float, y: Amounts, p: Rates) -> float:
    return 0.001 * y.virus


MODEL = Model(
    "clinic",
    rhs,
    Amounts,
    Rates,
    observables=(
        hbv_dna,
        hbsag,
        alt,
        leukemia_cd19_positive,
        leukemia_cd19_negative,
        car_t,
        b_cells,
        il6,
        il6_signal,
        harm,
    ),
    routes=(
        route("oral", "mg", "by mouth", {"drug": 0.6}),
        route("iv", "mg", "by vein", {"drug": 1.0}),
    ),
    variants=(
        variant("slow", "slow elimination", {"k": (0.1, INVENTED)}, group="speed"),
        variant("fast", "fast elimination", {"k": (2.0, INVENTED)}, group="speed"),
    ),
)
