"""The self-test agrees here, and is heard where something does not."""

from dataclasses import replace

import autograd
import numpy as np
import pytest
import reference
from scipy.optimize import root

import nnpotential as nnp
from nnpotential import selftest
from nnpotential.systems.functions import EggBox


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """One run: its verdict, its lines, and the landscapes it left."""
    lines, place = [], tmp_path_factory.mktemp("selftest")
    good = selftest.run(place, lines.append)
    return good, lines, place


def test_everything_agrees(whole):
    good, lines, _ = whole
    assert good, "\n".join(lines)
    n = sum(line.startswith("ok ") for line in lines)
    assert n > 100 and lines[-1] == f"all {n} checks agree"
    assert all(not line.startswith("DIFFERS") for line in lines)


def test_it_says_what_is_installed(whole):
    import platform

    import scipy

    _, lines, _ = whole
    head = " ".join(lines[:2])
    for said in (platform.python_version(), np.__version__, scipy.__version__, nnp.__version__):
        assert said in head
    assert "pele" in head and "kernel engine" in head and platform.machine() in head


def test_nothing_is_left_where_no_directory_is_given(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    seen = []
    monkeypatch.setattr(selftest, "_check_landscape", lambda c, s, path: seen.append(path))
    monkeypatch.setattr(selftest, "_check_network", lambda c, path: seen.append(path))
    assert selftest.run(report=lambda line: None)
    assert len(seen) == 3 and all(path.is_relative_to(tmp_path) for path in seen)
    assert not list(tmp_path.iterdir())


def test_a_directory_that_is_taken_is_refused(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(nnp.InputError, match="new or empty"):
        selftest.run(tmp_path)


def differences(compare, *args):
    lines = []
    checks = selftest._Checks(lines.append)
    checks.attempt("it", compare, *args)
    bad = [line for line in lines if line.startswith("DIFFERS")]
    assert len(bad) == checks.passed.count(False)
    return bad


@pytest.fixture
def egg_box(whole):
    land = nnp.Landscape.open(whole[2] / "egg_box")
    yield land
    land.close()


def changed(point, **what):
    points = EggBox().stationary_points()
    points[point] = replace(points[point], **what)
    return lambda self: points


def test_a_stored_landscape_agrees_again(egg_box):
    assert differences(selftest._compare, egg_box) == []


def test_a_wrong_energy_is_heard(egg_box, monkeypatch):
    energy = EggBox().stationary_points()[4].energy
    barriers = EggBox().barriers()
    monkeypatch.setattr(EggBox, "barriers", lambda self: barriers)
    monkeypatch.setattr(EggBox, "stationary_points", changed(4, energy=energy + 2e-9))
    (line,) = differences(selftest._compare, egg_box)
    assert "minimum 4 has energy 1.4, expected 1.400000002" in line


def test_a_wrong_index_is_heard(egg_box, monkeypatch):
    barriers, connections = EggBox().barriers(), EggBox().connections()
    monkeypatch.setattr(EggBox, "barriers", lambda self: barriers)
    monkeypatch.setattr(EggBox, "connections", lambda self: connections)
    monkeypatch.setattr(EggBox, "stationary_points", changed(3, index=2))
    (line,) = differences(selftest._compare, egg_box)
    assert "transition state 3 has index 1, expected 2" in line


def test_a_missing_point_is_heard(egg_box, monkeypatch):
    monkeypatch.setattr(EggBox, "stationary_points", changed(3, x=np.array([1.0, 0.0, 0.0])))
    (line,) = differences(selftest._compare, egg_box)
    assert "transition state 3 of energy 1.265625 was not found" in line


def test_a_wrong_connection_is_heard(egg_box, monkeypatch):
    (ts, i, _), *others = EggBox().connections()
    barriers = EggBox().barriers()
    monkeypatch.setattr(EggBox, "barriers", lambda self: barriers)
    monkeypatch.setattr(EggBox, "connections", lambda self: [(ts, i, 7), *others])
    (line,) = differences(selftest._compare, egg_box)
    assert f"transition state {ts} joins minima [0, 1], expected [0, 7]" in line


def test_a_wrong_barrier_is_heard(egg_box, monkeypatch):
    barriers = {**EggBox().barriers(), 5: 1.28 + 2e-9}
    monkeypatch.setattr(EggBox, "barriers", lambda self: barriers)
    (line,) = differences(selftest._compare, egg_box)
    assert "barrier from minimum 5" in line


@pytest.mark.parametrize(
    "method, part, heard",
    [
        ("getEnergyGradientHessian", 0, "loss"),
        ("getEnergyGradientHessian", 1, "gradient"),
        ("getEnergyGradientHessian", 2, "Hessian"),
        ("hessian_vector_product", None, "product"),
    ],
)
def test_a_wrong_kernel_is_heard(monkeypatch, method, part, heard):
    make = selftest._network

    class Wrong:
        def __init__(self, *args):
            self._right = make(*args)

        def __getattr__(self, name):
            if name != method:
                return getattr(self._right, name)

            def wrong(*args):
                found = getattr(self._right, name)(*args)
                if part is None:
                    return found + 1e-6
                return [f + 1e-6 * (i == part) for i, f in enumerate(found)]

            return wrong

    monkeypatch.setattr(selftest, "_network", Wrong)
    bad = differences(selftest._check_kernel)
    assert sum(f": {heard}" in line for line in bad) == 2


def test_a_failure_of_the_program_is_told_and_the_rest_goes_on(monkeypatch, tmp_path):
    def fail(checks, system, path):
        raise ArithmeticError("out of numbers")

    lines = []
    monkeypatch.setattr(selftest, "_check_landscape", fail)
    monkeypatch.setattr(selftest, "_check_network", lambda c, path: c.note(True, "went on"))
    assert not selftest.run(tmp_path, lines.append)
    failed = [line for line in lines if line.startswith("DIFFERS")]
    assert len(failed) == 2
    assert all("Traceback" in line and "out of numbers" in line for line in failed)
    assert any("went on" in line for line in lines)
    assert "2 of 11 checks DIFFER" in lines[-1]


def test_the_known_network_landscape_in_other_arithmetic():
    """Newton from everywhere; energy, gradient and index by autograd."""
    system = selftest.xor_system()
    potential, data = system.potential, system.data

    def loss(x):
        return reference.loss(
            x,
            (2, 2, 2),
            "tanh",
            True,
            "cross_entropy",
            0.02,
            True,
            data.X_train,
            data.y_train,
        )

    rng, found = np.random.default_rng(0), []
    for _ in range(2500):
        x = rng.normal(size=12) * rng.choice([0.3, 1, 2])
        try:
            end = root(potential.getGradient, x, jac=potential.getHessian, tol=1e-12)
        except nnp.InputError:  # Newton went off to infinity
            continue
        if np.abs(end.fun).max() < 1e-10 and not any(
            system.identity.are_same(x, end.x) for x in found
        ):
            found.append(end.x)
    by_index = {0: [], 1: [], 2: []}
    for x in found:
        assert np.abs(autograd.grad(loss)(x)).max() < 1e-10
        values = np.linalg.eigvalsh(autograd.hessian(loss)(x))
        by_index[int((values < 0).sum())].append(loss(x))
    assert sorted(by_index[0]) == pytest.approx(selftest.XOR_MINIMA, abs=1e-12)
    states = [energy for energy, *_ in selftest.XOR_STATES]
    # the eight others are degenerate rearrangements
    assert len(by_index[1]) == 16
    assert all(min(abs(e - f) for f in by_index[1]) < 1e-12 for e in states)
