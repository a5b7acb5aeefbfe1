"""What verification accepts, what it rejects, and where the gradient leads."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.polynomial import polynomial
from pele.storage import Minimum
from scipy.integrate import LSODA
from surfaces import Rough

import nnpotential as nnp
from nnpotential.contract import Scales
from nnpotential.findings import Connection, Point, Verdict
from nnpotential.points.saddle import descend
from nnpotential.verification import verify
from nnpotential.verification.flow import ChebyshevFlow
from nnpotential.verification.verify import follow_gradient, verify_point, verify_transition_state


def test_flow_reaches_the_minima_that_lsoda_reaches(system, saddle_point):
    pot = system.potential
    for side in (1, -1):
        start = saddle_point.coords + 0.01 * side * saddle_point.eigenvec
        _, reached = follow_gradient(system, start)
        lsoda = LSODA(
            lambda _, y: -pot.getGradient(y),
            0.0,
            start,
            1e5,
            rtol=1e-8,
            atol=1e-10,
            jac=lambda _, y: -pot.getHessian(y),
        )
        while lsoda.status == "running" and np.linalg.norm(pot.getGradient(lsoda.y)) > 1e-7:
            lsoda.step()
        assert np.linalg.norm(lsoda.y - reached) < 1e-3


def test_flow_does_not_rest_on_a_saddle(system, saddle_point):
    """Started on one it goes nowhere and says so, until rounding has grown enough to lead away."""
    assert follow_gradient(system, saddle_point.coords, max_steps=10) is None
    reached = follow_gradient(system, saddle_point.coords, max_steps=30)
    if reached is not None:
        assert reached.energy < saddle_point.energy
        assert np.linalg.eigvalsh(system.potential.getHessian(reached.coords))[0] > 0


@pytest.mark.parametrize("limit", [0, 10**6])
def test_verification_accepts_and_rejects(system, quenched, saddle_point, monkeypatch, limit):
    monkeypatch.setattr("nnpotential.verification.inertia.PROOF_LIMIT", limit)
    pot = system.potential

    def judge(x):
        point = SimpleNamespace(coords=x, energy=pot.getEnergy(x), id=lambda: 1)
        return verify_point(system, point, index=0)

    assert judge(quenched[0].coords) == "ok"
    assert judge(quenched[0].coords + 1e-6) == "not converged"
    assert judge(saddle_point.coords) == "wrong index"
    point = SimpleNamespace(coords=quenched[0].coords, energy=quenched[0].energy + 1e-9)
    assert verify_point(system, point, index=0) == "loss differs"

    ends = [
        descend(
            saddle_point.coords, side * saddle_point.eigenvec, pot, system.identity.zero_modes()
        )
        for side in (1, -1)
    ]
    m1, m2 = (SimpleNamespace(coords=e.coords, energy=e.energy) for e in ends)
    ts = SimpleNamespace(
        coords=saddle_point.coords, energy=saddle_point.energy, minimum1=m1, minimum2=m2
    )
    verdict = verify_transition_state(system, ts)
    assert verdict.outcome == "ok"
    assert len(verdict.ends) == 2
    ts.coords, ts.energy = m1.coords, m1.energy
    assert verify_transition_state(system, ts) == Verdict("wrong index")


def test_what_contradicts_the_search_is_followed_more_accurately(
    system, quenched, saddle_point, monkeypatch
):
    mode = saddle_point.eigenvec
    starts = [saddle_point.coords + side * 0.01 * mode for side in (1, -1)]
    ends = [follow_gradient(system, x) for x in starts]
    same = system.identity.are_same
    points = (Point.of(minimum) for minimum in quenched)
    other = next(p for p in points if not any(same(p.coords, end.coords) for end in ends))
    asked, wrong = [], ()

    def follow(system, x, tolerance, known):
        asked.append(tolerance)
        return other if tolerance in wrong else follow_gradient(system, x, tolerance, known)

    monkeypatch.setattr(verify, "follow_gradient", follow)

    def judge(*minima):
        asked.clear()
        state = Connection(saddle_point.energy, saddle_point.coords, -1.0, mode, *minima)
        return verify_transition_state(system, state).outcome

    assert judge(*ends) == "ok"
    assert asked == [1e-4] * 2
    assert judge(ends[0], other) == "descends elsewhere"
    assert asked == [1e-4] * 2 + [1e-6] * 2
    wrong = (1e-4,)
    assert judge(*ends) == "ok"


def test_where_proofs_are_dear_a_known_minimum_is_not_proved_again(
    system, saddle_point, monkeypatch
):
    """What the flow meets elsewhere is: it may be stored."""
    monkeypatch.setattr(verify, "gradient_flow", ChebyshevFlow)
    monkeypatch.setattr(verify, "_FACTORISED", 0)
    proved = []
    judge = verify.Curvature.judge

    def counted(self, index, mode=None):
        proved.append(index)
        return judge(self, index, mode)

    monkeypatch.setattr(verify.Curvature, "judge", counted)
    starts = [saddle_point.coords + side * 0.01 * saddle_point.eigenvec for side in (1, -1)]
    ends = [follow_gradient(system, x) for x in starts]
    assert proved == [0, 0]
    for known in ([], ends[:1], ends):
        proved.clear()
        found = [follow_gradient(system, x, known=known) for x in starts]
        assert proved == [0] * (2 - len(known))
        assert all(a.energy == b.energy for a, b in zip(found, ends, strict=True))
        assert all(a in known for a in found[: len(known)])


def _free(potential):
    """A system of two parameters without a symmetry."""
    identity = SimpleNamespace(zero_modes=lambda x: np.empty((2, 0)))
    return SimpleNamespace(potential=potential, identity=identity, scales=Scales())


def test_verification_is_not_fooled_by_a_step_that_is_small_by_accident():
    potential = Rough(1e-8, 1e-12)
    # of many points in the noise pick the one whose Newton step happens to vanish
    rng = np.random.default_rng(0)
    points = np.column_stack([np.zeros(2000), 1e-4 * rng.uniform(-1, 1, 2000)])
    steps = [np.abs(potential.getGradient(x) / [1.0, 1e-8]).max() for x in points]
    x = points[int(np.argmin(steps))]
    assert min(steps) < 1e-6
    point = Minimum(potential.getEnergyGradient(x)[0], x)
    assert verify_point(_free(potential), point, index=0) == "unresolved"


@pytest.mark.parametrize("system", [nnp.LennardJonesCluster(13), nnp.BinaryLennardJones(33)])
def test_what_the_flow_reaches_meets_the_definition(system):
    """Also where curvatures are of the order of a thousand: it may be stored."""
    rng = np.random.default_rng(0)
    minimum = system.get_minimizer()(next(iter(system.starts.values()))(rng))
    for _ in range(8):
        start = minimum.coords + rng.normal(scale=0.03, size=system.n_dof)
        reached = follow_gradient(system, start)
        assert verify_point(system, reached, index=0) == "ok"


class _Polynomial:
    """A polynomial of several variables by `numpy.polynomial`, with its exact derivatives."""

    def __init__(self, coefficients):
        self.coefficients = np.asarray(coefficients, dtype=float)

    def _at(self, x, *axes):
        c = self.coefficients
        for axis in axes:
            c = polynomial.polyder(c, axis=axis)
        return float(polynomial.polyval2d(*x, c))

    def getEnergyGradient(self, x):
        return self._at(x), self.getGradient(x)

    def point(self, x):
        return Point(self._at(x), np.array(x))

    def getGradient(self, x):
        return np.array([self._at(x, i) for i in range(2)])

    def getHessian(self, x):
        return np.array([[self._at(x, i, j) for i in range(2)] for j in range(2)])

    def hessian_vector_product(self, x, v):
        return self.getHessian(x) @ v


_MONKEY = [[0, 0, 0, 0], [0, 0, -3, 0], [0, 0, 0, 0], [1, 0, 0, 0]]  # x^3 - 3 x y^2
_QUARTIC = [[0, 0, 0, 0, 1], [0] * 5, [0] * 5, [0] * 5, [-1, 0, 0, 0, 0]]  # y^4 - x^4
_BOWL = [[0, 0, 0, 0, 1], [0] * 5, [0] * 5, [0] * 5, [1, 0, 0, 0, 0]]


@pytest.mark.parametrize("away", [1e-8, 1e-7, 1e-6])
@pytest.mark.parametrize(
    ("coefficients", "index"), [(_MONKEY, 1), (_QUARTIC, 1), (_BOWL, 0)], ids=str
)
def test_a_point_where_all_curvature_vanishes_is_degenerate(coefficients, index, away):
    """Beside it the Hessian has the right signs, and no eigenvalue that is small beside another."""
    potential = _Polynomial(coefficients)
    system = _free(potential)
    outcomes = set()
    for angle in np.linspace(0, 2 * np.pi, 20):
        x = away * np.array([np.cos(angle), np.sin(angle)])
        outcomes.add(verify_point(system, potential.point(x), index))
    assert "degenerate" in outcomes
    assert outcomes <= {"degenerate", "not converged"}


def test_stiff_curvature_does_not_hide_that_the_soft_one_vanishes():
    potential = _Polynomial([[0, 0, 1e-3], [0] * 3, [0] * 3, [0] * 3, [1, 0, 0]])  # x^4 + y^2/1000
    for y in (0.0, 1e-12, 1e-11):
        point = potential.point([2e-6, y])
        assert verify_point(_free(potential), point, 0) == "degenerate"


def test_a_point_of_small_curvature_that_lasts_is_none():
    """What counts is not how small it is, but whether it is there a Newton step away."""
    coefficients = np.zeros((4, 4))
    coefficients[2, 0], coefficients[0, 2], coefficients[3, 0] = -1e-7, 1e-7, 1e-7
    potential = _Polynomial(coefficients)
    assert verify_point(_free(potential), potential.point([1e-9, 1e-9]), 1) == "ok"


@pytest.mark.parametrize("soft", [1e-6, 1e-7, 1e-8])
def test_nor_is_one_in_a_valley_that_bends(soft):
    """Along its soft curvature the stiff one beside it turns fast: (y - x^2)^2 + soft x^2."""
    potential = _Polynomial([[0, 0, 1], [0] * 3, [soft, -2, 0], [0] * 3, [1, 0, 0]])
    for x in (1e-8, 1e-7):
        assert verify_point(_free(potential), potential.point([x, x * x]), 0) == "ok"
