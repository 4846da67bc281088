"""What the clinic measures of hepatitis B."""

from carsim import Parameters, State, observable
from carsim.math import log, maximum
from carsim_models.cart_hbv.hbv import HBV, HBVRates


class Infected(State):
    hbv: HBV


class InfectedRates(Parameters):
    hbv: HBVRates


@observable("IU/mL", "HBV DNA in serum")
def hbv_dna(t: float, y: Infected, p: InfectedRates) -> float:
    return y.hbv.virus / p.hbv.copies


@observable("1", "log10 of HBV DNA in IU/mL, not below one virion in the body")
def log10_hbv_dna(t: float, y: Infected, p: InfectedRates) -> float:
    return log(maximum(y.hbv.virus, p.hbv.V_floor) / (p.hbv.copies * p.hbv.IU_mL)) / log(10.0)


@observable("IU/mL", "surface antigen")
def hbsag(t: float, y: Infected, p: InfectedRates) -> float:
    return y.hbv.hbsag


@observable("IU/mL", "HBeAg")
def hbeag(t: float, y: Infected, p: InfectedRates) -> float:
    return y.hbv.hbeag


@observable("U/L", "alanine aminotransferase")
def alt(t: float, y: Infected, p: InfectedRates) -> float:
    return y.hbv.alt


@observable("mIU/mL", "anti-HBs")
def anti_hbs(t: float, y: Infected, p: InfectedRates) -> float:
    return y.hbv.anti_hbs


@observable("1", "infected share of the hepatocytes")
def infected_fraction(t: float, y: Infected, p: InfectedRates) -> float:
    return y.hbv.infected / (y.hbv.target + y.hbv.infected + y.hbv.silenced)


OBSERVABLES = (hbv_dna, log10_hbv_dna, hbsag, hbeag, alt, anti_hbs, infected_fraction)
