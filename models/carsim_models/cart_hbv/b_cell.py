"""Normal B cells, plasma cells and immunoglobulin G.

CD19+ precursors mature into B cells; both are killed by CAR-T cells. B cells feed short- and
long-lived plasma cells, which are CD19-negative, so that antibody outlives B cells. The plasma
cells are shares of normal. An anti-CD20 antibody, which most cohorts with lymphoma got, kills
mature B cells only.
"""

from carsim import Assumed, Derived, Parameters, State, parameter, state
from carsim_models.cart_hbv.sites import Sites
from carsim_models.cart_hbv.sources import LEON_TRIANA, TUNED

TURNOVER = LEON_TRIANA.at("BioModels BIOMD0000001012")


class BCell(State):
    precursor: float = state(2.5e9, "cell", "CD19+ precursors in marrow", atol=1.0)
    mature: float = state(2.5e10, "cell", "mature B cells", atol=1.0)
    short_lived: float = state(1.0, "1", "short-lived plasma cells over normal", atol=1e-6)
    long_lived: float = state(1.0, "1", "long-lived plasma cells over normal", atol=1e-6)
    anti_cd20: float = state(0.0, "1", "anti-CD20 antibody, in doses", atol=1e-6)
    igg: float = state(10.0, "g/L", "immunoglobulin G", atol=1e-5)


class BCellRates(Parameters):
    B_0: float = parameter(2.5e10, "cell", "normal B cells", TURNOVER, lower=1.0)
    tau_P: float = parameter(6.0, "day", "maturation of precursors", TURNOVER, lower=0.1)
    tau_B: float = parameter(60.0, "day", "life time of B cells", TURNOVER, lower=0.1)
    f_blood: float = parameter(
        0.03, "1", "B cells that are in blood", Assumed("150 per uL of 2.5e10"), upper=1.0
    )
    k_LD: float = parameter(0.5, "1/day", "killing per unit of lymphodepletion", TUNED)
    k_20: float = parameter(
        2.0,
        "1/day",
        "largest killing by anti-CD20",
        Assumed("B cells leave the blood within days of rituximab"),
    )
    K_20: float = parameter(
        0.1,
        "1",
        "anti-CD20, in doses, for half of that",
        Assumed("B cells return about half a year after the last dose"),
        lower=1e-6,
    )
    d_20: float = parameter(
        0.033, "1/day", "clearance of anti-CD20", Assumed("as other IgG, half-life 21 d")
    )
    tau_S: float = parameter(
        20.0,
        "day",
        "life time of short-lived plasma cells",
        Assumed("plasmablasts and memory B cells lumped"),
        lower=0.1,
    )
    tau_LL: float = parameter(
        3650.0,
        "day",
        "life time of long-lived plasma cells",
        Assumed("10 years; measles IgG unchanged 12 months after CAR-T cells (Hill 2019)"),
        lower=1.0,
    )
    f_S: float = parameter(
        0.25,
        "1",
        "share of IgG from short-lived plasma cells",
        Derived("total IgG falls by 17.5 % in adults (Hill 2019); 0.6 is meant for children"),
        plausible=(0.15, 0.6),
        upper=1.0,
    )
    k_G: float = parameter(
        0.033, "1/day", "clearance of IgG", Derived("ln 2 over the half-life of 21 d, rounded")
    )
    IgG_0: float = parameter(10.0, "g/L", "normal IgG", Assumed("mid of the adult range"))


def initial(p: BCellRates) -> BCell:
    """Return the healthy steady state."""
    return BCell(
        precursor=p.B_0 * p.tau_P / p.tau_B,
        mature=p.B_0,
        short_lived=1.0,
        long_lived=1.0,
        anti_cd20=0.0,
        igg=p.IgG_0,
    )


def cd19(y: BCell, p: BCellRates) -> Sites:
    """Return the normal CD19+ cells in blood and marrow."""
    blood = p.f_blood * y.mature
    return Sites(blood=blood, marrow=y.precursor + y.mature - blood, extramedullary=0.0)


def derivatives(y: BCell, p: BCellRates, *, kill: Sites, lymphodepletion: float) -> BCell:
    """Return the rates of change.

    Parameters
    ----------
    y, p : BCell, BCellRates
        States and parameters.
    kill : Sites
        Rate at which a CD19+ cell is killed, 1/day.
    lymphodepletion : float
        Effect of the conditioning, in units of one daily course.
    """
    drug = p.k_LD * lymphodepletion
    matured = y.precursor / p.tau_P
    killed = kill.marrow + p.f_blood * (kill.blood - kill.marrow)
    share = y.mature / p.B_0
    antibody_kills = p.k_20 * y.anti_cd20 / (y.anti_cd20 + p.K_20)
    antibody = p.f_S * y.short_lived + (1.0 - p.f_S) * y.long_lived
    return BCell(
        precursor=p.B_0 / p.tau_B - matured - (kill.marrow + drug) * y.precursor,
        mature=matured - (1.0 / p.tau_B + killed + drug + antibody_kills) * y.mature,
        short_lived=(share - y.short_lived) / p.tau_S,
        long_lived=(share - y.long_lived) / p.tau_LL,
        anti_cd20=-p.d_20 * y.anti_cd20,
        igg=p.k_G * (p.IgG_0 * antibody - y.igg),
    )
