"""Landscapes certified whole."""

import json
import shutil
import sys

import numpy as np
import pytest
from landscapes import FEW, image, replace, twin
from pele.storage import Minimum

import nnpotential as nnp
from nnpotential import InputError, Landscape
from nnpotential.points.stationary import spectrum
from nnpotential.storage import notes
from nnpotential.verification import certified
from nnpotential.verification.certificate import CERTIFIED, LIKE, Certificate
from nnpotential.verification.certified import NOT_YET, certificates, count_certificates

flint = pytest.importorskip(
    "flint", reason="python-flint is not installed: pip install 'nnpotential[certify]'"
)

SHORT = {**FEW, "quenches": 4, "basin_hopping_runs": 0}


@pytest.fixture(scope="module")
def proved(tmp_path_factory, small):
    """A copy of `small`, certified; not to be changed, see `copy`."""
    land = Landscape.open(shutil.copytree(small.path, tmp_path_factory.mktemp("proved") / "a"))
    land.certify()
    return land


@pytest.fixture
def copy(tmp_path, proved):
    return Landscape.open(shutil.copytree(proved.path, tmp_path / "a"))


def done(land, **options):
    """What a run of `certify` works on, and its results."""
    worked = []
    results = land.certify(lambda stage, i, n, text: worked.append(text), **options)
    return worked, results


@pytest.mark.parametrize(
    ("name", "sizes", "options"),
    [
        ("iris", [4, 4, 3], {}),
        ("iris", [4, 3, 3], {"regularize_bias": False}),
        ("iris", [4, 3, 3, 3], {}),
        ("xor", [2, 3, 2], {}),
        ("iris", [4, 3, 3], {"regularize_bias": False, "activation": "sigmoid"}),
    ],
)
def test_every_stored_point_is_certified(tmp_path, name, sizes, options):
    """But for those where a curvature is so near to none that rounding hides the point."""
    options = dict(options)
    data = nnp.load_dataset(name, 60, 20, seed=0)
    net = nnp.MLP(sizes, options.pop("activation", "tanh"))
    land = Landscape.create(tmp_path / "a", net, data, regularization=1e-3, **options, **SHORT)
    figures = land.explore(draw=False)
    results = land.certify()
    assert len(results) == figures["verified"]["ok"] > 1
    assert sum(outcome == CERTIFIED for *_, outcome, _ in results) > 1
    of = {"minimum": land.database.minima(), "transition state": land.database.transition_states()}
    for kind, number, outcome, why in results:
        [x] = [point.coords for point in of[kind] if point.id() == number]
        zero = land.system.identity.zero_modes(x)
        softest = np.abs(spectrum(land.system.potential, x, zero).physical).min()
        assert outcome == CERTIFIED or softest < 1e-7, (kind, number, why)


def test_the_summary_counts_what_is_proved(proved):
    figures = proved.summary()
    n_states = figures["n_transition_states"] + figures["n_degenerate_rearrangements"]
    assert n_states > 0
    assert figures["certified"] == {CERTIFIED: figures["n_minima"] + n_states}
    assert figures["proved"] == {"minima": figures["n_minima"], "transition_states": n_states}
    stored = json.loads((proved.path / "summary.json").read_text(encoding="utf-8"))
    assert (stored["certified"], stored["proved"]) == (figures["certified"], figures["proved"])


def test_what_was_never_certified_counts_as_nothing(small):
    assert small.summary()["certified"] == {}
    assert {outcome for *_, outcome, _ in certificates(small.database)} == {NOT_YET}


def test_the_certificates_are_true(copy):
    """Each ball holds one stationary point, so no two of them overlap."""
    points = copy.database.minima()
    found = [certified._known(m)[0] for m in points]
    assert all(isinstance(c, Certificate) and c.kantorovich < 0.5 for c in found)
    for m, c in zip(points, found, strict=True):
        assert c.energy[0] - 1e-14 <= m.energy <= c.energy[1] + 1e-14


def test_a_second_run_has_nothing_to_do(copy):
    worked, results = done(copy)
    assert worked == []
    assert {outcome for *_, outcome, _ in results} == {CERTIFIED}


def test_a_point_that_changed_is_certified_anew(copy):
    m = copy.database.minima()[0]
    number = m.id()
    replace(copy, m, image(copy, m.coords, 1))
    copy.database.session.commit()
    assert [(n, o) for kind, n, o, _ in certificates(copy.database) if o != CERTIFIED] == [
        (number, NOT_YET)
    ]
    counts, proved = count_certificates(copy.database)
    assert counts[NOT_YET] == 1
    assert proved["minima"] == copy.database.number_of_minima() - 1
    worked, results = done(copy)
    assert worked == [f"minimum {number}: certified"]
    assert {outcome for *_, outcome, _ in results} == {CERTIFIED}


def test_a_moved_point_and_a_false_index_are_not_certified(copy):
    m, other, *_ = copy.database.minima()
    ts = copy.database.transition_states()[0]
    way = np.random.default_rng(0).normal(size=m.coords.size)
    replace(copy, m, m.coords + 1e-6 * way / np.linalg.norm(way))
    replace(copy, other, ts.coords)
    numbers = m.id(), other.id()
    copy.database.session.commit()
    _, results = done(copy)
    failed = {(kind, n): why for kind, n, outcome, why in results if outcome != CERTIFIED}
    assert set(failed) == {("minimum", n) for n in numbers}
    assert failed["minimum", numbers[0]].startswith("Newton step too long: 2 eta = ")
    assert failed["minimum", numbers[1]] == "wrong index: 1"


def test_of_two_images_one_counts(copy):
    first = copy.database.minima()[0]
    number = first.id()
    twin(copy, first)
    copy.database.session.commit()
    n = copy.database.number_of_minima()
    worked, results = done(copy)
    assert len(worked) == 1
    minima = [r for r in results if r[0] == "minimum"]
    assert [r[2:] for r in minima if r[2] != CERTIFIED] == [
        (LIKE, f"not told apart from {number}"),
    ]
    figures = copy.summary()
    assert figures["certified"] == {CERTIFIED: len(results) - 1, LIKE: 1}
    assert figures["proved"]["minima"] == n - 1
    # and when it is gone, or is another point, the word is withdrawn
    [like] = [m for m in copy.database.minima() if notes(m)["certificate"].get("like")]
    copy.database.session.delete(like)
    copy.database.session.commit()
    assert {outcome for *_, outcome, _ in done(copy)[1]} == {CERTIFIED}


def test_points_of_one_energy_are_told_apart_by_their_distance(tmp_path):
    """Where the data have a symmetry, different minima have the same loss."""
    rng = np.random.default_rng(0)
    half = rng.normal(size=(10, 2)) + np.array([1.0, 0.5])
    X = np.concatenate([half, -half])  # and so has the loss, under x -> -x with labels exchanged
    y = np.repeat([0, 1], 10)
    data = nnp.Dataset(X, y, X, y)
    system = nnp.NNSystem(nnp.MLP([2, 3, 2], "silu"), data, regularization=1e-3)
    x = system.get_minimizer()(system.net.random_parameters(rng)).coords
    (W1, b1), (W2, b2) = system.net.split(x)
    mirror = system.net.join([(-W1, b1), (W2[::-1], b2[::-1])])
    assert system.potential.getEnergy(mirror) == pytest.approx(system.potential.getEnergy(x))
    assert not system.identity.are_same(x, mirror)
    land = Landscape.create(tmp_path / "a", system, **FEW)
    for coords in (x, mirror):
        m = Minimum(system.potential.getEnergy(coords), coords)
        m.user_data = {"verified": "ok"}
        land.database.session.add(m)
    land.database.session.commit()
    results = land.certify()
    assert [outcome for *_, outcome, _ in results] == [CERTIFIED, CERTIFIED]
    (low1, high1), (low2, high2) = (certified._known(m)[0].energy for m in land.database.minima())
    assert max(low1, low2) <= min(high1, high2)


def test_what_is_proved_before_an_interruption_is_kept(tmp_path, small):
    land = Landscape.open(shutil.copytree(small.path, tmp_path / "a"))

    def stop(stage, i, n, text):
        if i == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        land.certify(stop)
    outcomes = [outcome for *_, outcome, _ in certificates(land.database)]
    assert outcomes.count(CERTIFIED) == 3
    counts = json.loads((land.path / "summary.json").read_text(encoding="utf-8"))["certified"]
    assert counts[CERTIFIED] == 3
    worked, results = done(land)
    assert len(worked) == len(results) - 3
    assert {outcome for *_, outcome, _ in results} == {CERTIFIED}


def test_workers_give_the_same(tmp_path, small, proved):
    land = Landscape.open(shutil.copytree(small.path, tmp_path / "a"))
    assert land.certify(workers=2) == certificates(proved.database)
    theirs, ours = (
        {m.id(): certified._known(m)[0] for m in x.database.minima()} for x in (proved, land)
    )
    assert ours == theirs


def test_the_exact_landscapes(tmp_path):
    for name, system, soft_modes, n in (
        ("a", nnp.LinearAutoencoder(), 1, (1, 1)),
        ("b", nnp.EggBox(), 0, (8, 12)),
    ):
        few = {"quenches": 60, "audit_sample": 0, "soft_modes": soft_modes}
        land = Landscape.create(tmp_path / name, system, **few)
        land.explore(draw=False)
        land.certify()
        assert tuple(land.summary()["proved"].values()) == n


# The command line


def test_the_command(run, copy):
    status, out, _ = run("certify", copy.path)
    n, m = copy.summary()["proved"].values()
    assert status == 0
    assert f"at least {n} minima and {m} transition states" in " ".join(out.split())
    assert f"{n + m} certified" in run("summary", copy.path)[1]


def test_the_command_names_what_fails(run, copy):
    m = copy.database.minima()[0]
    number = m.id()
    replace(copy, m, m.coords * (1 + 1e-6))
    copy.database.session.commit()
    copy.close()
    status, out, err = run("certify", copy.path)
    assert status == 1
    assert f"minimum {number}: Newton step too long: 2 eta = " in err
    assert "%" in out


def test_a_system_that_cannot_be_certified(run, tmp_path):
    Landscape.create(tmp_path / "lj", nnp.LennardJonesCluster(3))
    status, _, err = run("certify", tmp_path / "lj")
    assert status == 2
    assert err.startswith("error: a landscape of the kind 'lennard_jones' cannot be certified")
    assert "Lipschitz constant" in err
    assert len(err.splitlines()) == 1


def test_without_the_extra(run, small, monkeypatch):
    monkeypatch.setitem(sys.modules, "flint", None)
    status, _, err = run("certify", small.path)
    assert status == 2
    assert "pip install 'nnpotential[certify]'" in err
    assert len(err.splitlines()) == 1
    with pytest.raises(InputError, match="python-flint"):
        small.certify()
