"""Problem of Kaps: autonomous, nonlinear, as stiff as wanted, with a solution in closed form.

``x = exp(-2t), y = exp(-t)`` for every epsilon (P. Kaps, G. Wanner, Numer. Math. 38:279, 1981).
"""

from carsim import Assumed, Model, Parameters, State, parameter, state

KNOWN = Assumed("problem with a known solution")


class Pair(State):
    x: float = state(1.0, "1", "fast", KNOWN)
    y: float = state(1.0, "1", "slow", KNOWN)


class Rates(Parameters):
    epsilon: float = parameter(1.0, "day", "time of the fast component", KNOWN)
    rate: float = parameter(1.0, "1/day", "rate of the slow component", KNOWN)


def rhs(t: float, y: Pair, p: Rates) -> Pair:
    fast = (y.y * y.y - y.x) / p.epsilon
    return Pair(x=fast - 2 * p.rate * y.x, y=p.rate * (y.x - y.y * (1 + y.y)))


MODEL = Model("kaps", rhs, Pair, Rates)
