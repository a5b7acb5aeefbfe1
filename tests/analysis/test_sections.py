"""Planes and profiles, against the energy evaluated on its own."""

import numpy as np
import pytest
from landscapes import copy_of

from nnpotential import InputError, Landscape
from nnpotential.analysis.sections import plane, profiles, share_within


@pytest.fixture(scope="module")
def coords(explored):
    return [m.coords for m in explored.graph()]


def test_the_corners_of_a_plane_are_the_minima(explored, coords):
    system = explored.system
    found = plane(system, coords[:3], coords[3:], n=7)
    for corner, x in zip(found.corners, coords, strict=False):
        point = coords[0] + corner @ found.axes
        assert system.potential.getEnergy(point) == pytest.approx(system.potential.getEnergy(x))
    assert np.allclose(found.axes @ found.axes.T, np.eye(2))
    i, j = 2, 5
    point = coords[0] + found.across[j] * found.axes[0] + found.up[i] * found.axes[1]
    assert found.energies[i, j] == pytest.approx(system.potential.getEnergy(point))
    assert (found.shares >= 0).all() and (found.shares <= 1).all()


def test_three_minima_on_a_line_span_no_plane(explored, coords):
    with pytest.raises(InputError, match="lie on no line"):
        plane(explored.system, [coords[0], coords[1], coords[1]])


def test_profiles_begin_as_the_curvature_says(explored, coords):
    found = profiles(explored.system, coords[0], coords[1:])
    near = np.abs(found.distances) < 0.1
    assert found.energies[:, near] == pytest.approx(found.harmonic[:, near], rel=1e-4)
    assert not np.allclose(found.energies, found.harmonic, rtol=1e-4)
    assert (np.diff(found.eigenvalues) >= 0).all() and found.eigenvalues[0] > 0


def test_all_axes_together_hold_all_of_a_distance(explored, coords):
    axes = np.linalg.qr(np.random.default_rng(0).normal(size=(coords[0].size,) * 2))[0]
    shares = share_within(explored.system, coords[0], axes, coords[1:])
    assert shares.sum(axis=1) == pytest.approx(np.ones(len(coords) - 1))


def test_a_landscape_draws_both(explored, tmp_path):
    land = Landscape.open(copy_of(explored, tmp_path))
    ids = [m.id() for m in land.graph()]
    lowest = min(land.graph(), key=lambda m: m.energy).id()
    land.section(*ids[:3])
    land.section()
    for name in (f"plane-{ids[0]}-{ids[1]}-{ids[2]}", f"profiles-{lowest}"):
        assert all((land.path / f"{name}.{end}").stat().st_size > 5000 for end in ("png", "svg"))


@pytest.mark.parametrize(
    ("minima", "message"),
    [((1, 2), "one minimum or three, not 2"), ((10_000,), "no verified minimum 10000")],
)
def test_bad_sections_are_refused(explored, minima, message):
    with pytest.raises(InputError, match=message):
        explored.section(*minima)
