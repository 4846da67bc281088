"""Published coefficients, each method with its paper.

A method is data: stages, weights, an embedded error estimate and a dense output. The dense output
of all methods is written in one form,

``y(theta) = (1 - theta) y0 + theta (y1 + (1 - theta) (k1 + theta (k2 + theta k3)))``

with ``k_m = sum_i dense[m, i] U_i``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from carsim.engine.plan import FloatArray


@dataclass(frozen=True, eq=False)
class Tableau:
    """Coefficients of a one-step method.

    For a Rosenbrock method the stage increments solve, with ``W = I / gamma - h J``,

    ``W U_i = h f(t + c_i h, y + sum_j a_ij U_j) + sum_j coupling_ij U_j + h^2 d_i df/dt``;

    for an explicit method ``U_i = h f(t + c_i h, y + sum_j a_ij U_j)``. The step is
    ``y1 = y + sum_i b_i U_i`` and the local error ``sum_i error_i U_i``.

    Attributes
    ----------
    name : str
    order : int
        Of the step.
    error_order : int
        Of the embedded formula.
    dense_order : int
        Of the dense output.
    implicit : bool
        Rosenbrock, as opposed to explicit Runge-Kutta.
    gamma : float
        Diagonal coefficient; 0 for explicit methods.
    a, coupling : float64 arrays, shape (stages, stages), strictly lower triangular
    b, c, d, error : float64 arrays, shape (stages,)
    dense : float64 array, shape (3, stages)
    reference : str
    """

    name: str
    order: int
    error_order: int
    dense_order: int
    implicit: bool
    gamma: float
    a: FloatArray
    coupling: FloatArray
    b: FloatArray
    c: FloatArray
    d: FloatArray
    error: FloatArray
    dense: FloatArray
    reference: str = field(repr=False)

    @property
    def stages(self) -> int:
        """Evaluations of the right-hand side a step."""
        return len(self.b)


def _lower(stages: int, rows: list[list[float]]) -> FloatArray:
    matrix = np.zeros((stages, stages))
    for i, row in enumerate(rows, start=1):
        matrix[i, : len(row)] = row
    return matrix


def _last(stages: int) -> FloatArray:
    weights = np.zeros(stages)
    weights[-1] = 1.0
    return weights


_RODAS4_LAST_ROW = [
    1.221224509226641,
    6.019134481288629,
    12.53708332932087,
    -0.687886036105895,
]

RODAS4 = Tableau(
    name="rodas4",
    order=4,
    error_order=3,
    dense_order=3,
    implicit=True,
    gamma=0.25,
    a=_lower(
        6,
        [
            [1.544],
            [0.9466785280815826, 0.2557011698983284],
            [3.314825187068521, 2.896124015972201, 0.9986419139977817],
            _RODAS4_LAST_ROW,
            [*_RODAS4_LAST_ROW, 1.0],
        ],
    ),
    coupling=_lower(
        6,
        [
            [-5.6688],
            [-2.430093356833875, -0.2063599157091915],
            [-0.1073529058151375, -9.594562251023355, -20.47028614809616],
            [7.496443313967647, -10.24680431464352, -33.99990352819905, 11.7089089320616],
            [
                8.083246795921522,
                -7.981132988064893,
                -31.52159432874371,
                16.31930543123136,
                -6.058818238834054,
            ],
        ],
    ),
    b=np.array([*_RODAS4_LAST_ROW, 1.0, 1.0]),
    c=np.array([0.0, 0.386, 0.21, 0.63, 1.0, 1.0]),
    d=np.array([0.25, -0.1043, 0.1035, -0.0362, 0.0, 0.0]),
    error=_last(6),
    dense=np.array(
        [
            [
                10.12623508344586,
                -7.487995877610167,
                -34.80091861555747,
                -7.992771707568823,
                1.025137723295662,
                0.0,
            ],
            [
                -0.6762803392806898,
                6.087714651680015,
                16.43084320892478,
                24.76722511418386,
                -6.594389125716872,
                0.0,
            ],
            [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        ]
    ),
    reference="E. Hairer, G. Wanner, Solving Ordinary Differential Equations II, 2nd ed., "
    "Springer 1996, section IV.7 (RODAS)",
)

_RODAS5P_LAST_ROW = [
    -7.502846399306121,
    2.561846144803919,
    -11.627539656261098,
    -0.18268767659942256,
    0.030198172008377946,
]

RODAS5P = Tableau(
    name="rodas5p",
    order=5,
    error_order=4,
    dense_order=4,
    implicit=True,
    gamma=0.21193756319429014,
    a=_lower(
        8,
        [
            [3.0],
            [2.849394379747939, 0.45842242204463923],
            [-6.954028509809101, 2.489845061869568, -10.358996098473584],
            [
                2.8029986275628964,
                0.5072464736228206,
                -0.3988312541770524,
                -0.04721187230404641,
            ],
            _RODAS5P_LAST_ROW,
            [*_RODAS5P_LAST_ROW, 1.0],
            [*_RODAS5P_LAST_ROW, 1.0, 1.0],
        ],
    ),
    coupling=_lower(
        8,
        [
            [-14.155112264123755],
            [-17.97296035885952, -2.859693295451294],
            [147.12150275711716, -1.41221402718213, 71.68940251302358],
            [165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306],
            [
                24.854864614690072,
                -3.0009227002832186,
                47.4931110020768,
                5.5814197821558125,
                -0.6610691825249471,
            ],
            [
                30.91273214028599,
                -3.1208243349937974,
                77.79954646070892,
                34.28646028294783,
                -19.097331116725623,
                -28.087943162872662,
            ],
            [
                37.80277123390563,
                -3.2571969029072276,
                112.26918849496327,
                66.9347231244047,
                -40.06618937091002,
                -54.66780262877968,
                -9.48861652309627,
            ],
        ],
    ),
    b=np.array([*_RODAS5P_LAST_ROW, 1.0, 1.0, 1.0]),
    c=np.array(
        [
            0.0,
            0.6358126895828704,
            0.4095798393397535,
            0.9769306725060716,
            0.4288403609558664,
            1.0,
            1.0,
            1.0,
        ]
    ),
    d=np.array(
        [
            0.21193756319429014,
            -0.42387512638858027,
            -0.3384627126235924,
            1.8046452872882734,
            2.325825639765069,
            0.0,
            0.0,
            0.0,
        ]
    ),
    error=_last(8),
    dense=np.array(
        [
            [
                25.948786856663858,
                -2.5579724845846235,
                10.433815404888879,
                -2.3679251022685204,
                0.524948541321073,
                1.1241088310450404,
                0.4272876194431874,
                -0.17202221070155493,
            ],
            [
                -9.91568850695171,
                -0.9689944594115154,
                3.0438037242978453,
                -24.495224566215796,
                20.176138334709044,
                15.98066361424651,
                -6.789040303419874,
                -6.710236069923372,
            ],
            [
                11.419903575922262,
                2.8879645146136994,
                72.92137995996029,
                80.12511834622643,
                -52.072871366152654,
                -59.78993625266729,
                -0.15582684282751913,
                4.883087185713722,
            ],
        ]
    ),
    reference="G. Steinebach, Construction of Rosenbrock-Wanner method Rodas5P and numerical "
    "benchmarks within the Julia Differential Equations package, BIT 63:27 (2023), "
    "doi:10.1007/s10543-023-00967-x",
)


def _dense_from_polynomial(polynomial: FloatArray) -> FloatArray:
    """Dense output ``y0 + sum_i U_i sum_m polynomial[i, m] theta^(m + 1)`` in the common form."""
    first, second, _, fourth = polynomial.T
    k1 = first - polynomial.sum(axis=1)
    k2 = second + k1
    return np.array([k1, k2, -fourth])


_DORMAND_PRINCE_WEIGHTS = [35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84]

DORMAND_PRINCE = Tableau(
    name="dormand_prince",
    order=5,
    error_order=4,
    dense_order=4,
    implicit=False,
    gamma=0.0,
    a=_lower(
        7,
        [
            [1 / 5],
            [3 / 40, 9 / 40],
            [44 / 45, -56 / 15, 32 / 9],
            [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
            [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
            _DORMAND_PRINCE_WEIGHTS,
        ],
    ),
    coupling=np.zeros((7, 7)),
    b=np.array([*_DORMAND_PRINCE_WEIGHTS, 0.0]),
    c=np.array([0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0]),
    d=np.zeros(7),
    error=np.array([71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40]),
    dense=_dense_from_polynomial(
        np.array(
            [
                [
                    1.0,
                    -8048581381 / 2820520608,
                    8663915743 / 2820520608,
                    -12715105075 / 11282082432,
                ],
                [0.0, 0.0, 0.0, 0.0],
                [
                    0.0,
                    131558114200 / 32700410799,
                    -68118460800 / 10900136933,
                    87487479700 / 32700410799,
                ],
                [
                    0.0,
                    -1754552775 / 470086768,
                    14199869525 / 1410260304,
                    -10690763975 / 1880347072,
                ],
                [
                    0.0,
                    127303824393 / 49829197408,
                    -318862633887 / 49829197408,
                    701980252875 / 199316789632,
                ],
                [
                    0.0,
                    -282668133 / 205662961,
                    2019193451 / 616988883,
                    -1453857185 / 822651844,
                ],
                [
                    0.0,
                    40617522 / 29380423,
                    -110615467 / 29380423,
                    69997945 / 29380423,
                ],
            ]
        )
    ),
    reference="J. R. Dormand, P. J. Prince, A family of embedded Runge-Kutta formulae, J. Comput. "
    "Appl. Math. 6:19 (1980), doi:10.1016/0771-050X(80)90013-3; dense output: L. F. Shampine, Some "
    "practical Runge-Kutta formulas, Math. Comp. 46:135 (1986), doi:10.2307/2008219",
)

METHODS: dict[str, Tableau] = {t.name: t for t in (RODAS5P, RODAS4, DORMAND_PRINCE)}
