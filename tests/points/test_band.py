"""Bands: the same as pele's, all images in one batch."""

from itertools import pairwise

import numpy as np
import pytest
from pele.transition_states import NEB, NEBDriver

from nnpotential.points.band import Band, BandDriver

QUENCH = {"tol": 1e-12, "maxErise": 100.0, "maxstep": 0.1}


@pytest.fixture(scope="module")
def path(pair):
    return [pair[0] + t * (pair[1] - pair[0]) for t in np.linspace(0, 1, 12)]


@pytest.mark.parametrize("k", [0.01, 10.0])
@pytest.mark.parametrize("dneb", [True, False])
def test_forces_are_those_of_pele(system, path, k, dneb):
    ours = Band(path, system.potential, k=k, dneb=dneb)
    peles = NEB(path, system.potential, k=k, dneb=dneb)
    rng = np.random.default_rng(0)
    shapes = set()
    for scale in (0.0, 0.01, 0.3, 1.0):
        x = ours.active.ravel() + scale * rng.normal(size=ours.active.size)
        energy, force = ours.getEnergyGradient(x)
        energy_of_pele, force_of_pele = peles.getEnergyGradient(x)
        assert energy == pytest.approx(energy_of_pele, rel=1e-14)
        assert np.abs(force - force_of_pele).max() < 1e-13 * np.abs(force_of_pele).max()
        assert np.array_equal(ours.energies, peles.energies)
        assert np.allclose(ours.distances, peles.distances, rtol=1e-14, atol=0)
        steps = np.sign(np.diff(ours.energies))
        shapes |= set(pairwise(steps))
    # slopes, maxima and minima all occurred: each has its own tangent
    assert shapes == {(1, 1), (1, -1), (-1, 1), (-1, -1)}


def test_climbing_images_go_up(system, path):
    band = Band(path, system.potential, k=0.01)
    band.MakeAllMaximaClimbing()
    assert any(band.isclimbing)
    _, force = band.getEnergyGradient(band.active.ravel())
    force = force.reshape(band.active.shape)
    ends = [(band.energies[i], band.coords[i]) for i in range(band.nimages)]
    for i in np.flatnonzero(band.isclimbing):
        gradient = system.potential.getGradient(band.coords[i])
        expected = NEB.NEBForce(band, True, ends[i], ends[i - 1], ends[i + 1], gradient, i)
        assert np.abs(force[i - 1] - expected).max() < 1e-14


@pytest.mark.parametrize("more", [{}, {"adjustk_freq": 5}])  # compiled, and not
def test_optimised_band_is_that_of_pele(system, pair, more):
    options = {"k": 0.01, "image_density": 3.0, "iter_density": 3, "verbose": -1, "dneb": False}
    options |= more
    ours, peles = (
        driver(system.potential, *pair, NEBquenchParams=QUENCH, **options).run()
        for driver in (BandDriver, NEBDriver)
    )
    assert isinstance(ours, Band) and not isinstance(peles, Band)
    assert np.abs(ours.coords - peles.coords).max() < 1e-6
    assert np.abs(ours.coords - np.linspace(*pair, ours.nimages)).max() > 0.01


def test_what_the_batch_cannot_do_is_left_to_pele(system, path):
    def measure(x1, x2, distance=True, grad=True):
        return float((x1 - x2) @ (x1 - x2)), x1 - x2

    x = np.ravel(path[1:-1]) + 0.3 * np.random.default_rng(0).normal(size=10 * path[0].size)
    plain, force = Band(path, system.potential).getEnergyGradient(x)
    energy, measured = Band(path, system.potential, distance=measure).getEnergyGradient(x)
    assert energy == pytest.approx(plain)
    assert np.allclose(measured, force)
    band, pele = (c(path, system.potential, with_springenergy=True) for c in (Band, NEB))
    assert band.getEnergyGradient(x)[0] == pele.getEnergyGradient(x)[0] > plain + 1


def test_system_gives_this_band(system, pair):
    band = system.createNEB(*pair, k=0.02).run()
    assert isinstance(band, Band)
    assert band.k == 0.02


def test_band_reports_to_its_listeners(system, pair):
    told = []
    driver = BandDriver(system.potential, *pair, k=0.01, NEBquenchParams=QUENCH, verbose=-1)

    def listen(**news):
        told.append((news["event"], len(news["energies"])))

    driver.update_event.connect(listen)
    band = driver.run()
    assert {event for event, _ in told} == {"initial", "update", "final"}
    assert {length for _, length in told} == {band.nimages}
