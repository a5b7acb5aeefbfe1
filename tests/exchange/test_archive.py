"""A landscape in one file: all of it comes back, and what is wrong is refused in one line."""

import hashlib
import io
import json
import os
import zipfile
from dataclasses import fields, replace

import numpy as np
import pytest
from landscapes import contents, interrupt_at, tree

from nnpotential import InputError, Landscape
from nnpotential.exchange.archive import read_archive, write_archive
from nnpotential.exchange.shared import Shared
from nnpotential.exchange.tables import PlainPoint
from nnpotential.sharing import export_archive, import_archive


@pytest.fixture(scope="session")
def shared(small):
    """The landscape `small` as plain values."""
    return Shared.read(small.path)


@pytest.fixture(scope="session")
def archive(tmp_path_factory, small):
    """The landscape `small` in one file."""
    return export_archive(small.path, tmp_path_factory.mktemp("archive") / "a.zip").place


def assert_same(one, other):
    """Whether two `Shared` are the same to the last bit and type."""
    assert one.files == other.files
    assert one.tables.properties == other.tables.properties
    assert one.tables.jobs == other.tables.jobs
    for kind in ("minima", "states"):
        pairs = zip(getattr(one.tables, kind), getattr(other.tables, kind), strict=True)
        for a, b in pairs:
            for name in (f.name for f in fields(PlainPoint)):
                x, y = getattr(a, name), getattr(b, name)
                assert type(x) is type(y)
                if isinstance(x, np.ndarray):
                    assert (x.dtype, x.shape, x.tobytes()) == (y.dtype, y.shape, y.tobytes())
                else:
                    assert repr(x) == repr(y)


def edited(archive, tmp_path, edit, sign=True):
    """An archive with other files in it; `edit` changes a dict of their contents."""
    with zipfile.ZipFile(archive) as file:
        files = {name: file.read(name) for name in file.namelist()}
    edit(files)
    if sign and "manifest.json" in files:
        manifest = json.loads(files["manifest.json"])
        manifest["files"] = {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in files.items()
            if name != "manifest.json"
        }
        files["manifest.json"] = json.dumps(manifest).encode()
    target = tmp_path / "edited.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in files.items():
            file.writestr(name, data)
    return target


def in_json(name, change):
    """An edit of a JSON file: `change` is given what it holds."""

    def edit(files):
        found = json.loads(files[name])
        change(found)
        files[name] = json.dumps(found).encode()

    return edit


def npy(array, **options):
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def test_all_of_it_comes_back_to_the_last_bit(tmp_path, small, shared, archive):
    assert_same(read_archive(archive), shared)
    done = import_archive(tmp_path / "a", archive)
    assert done.read == (len(shared.tables.minima), len(shared.tables.states))
    assert_same(Shared.read(done.place.path), shared)
    assert contents(done.place) == contents(small)
    assert done.place.summary() == small.summary()
    assert done.place.settings == small.settings
    assert done.notes == []


def test_what_stands_in_the_file_can_be_read_without_us(archive, small):
    with zipfile.ZipFile(archive) as file:
        names = set(file.namelist())
        minima = json.loads(file.read("minima.json"))["points"]
        coords = np.load(io.BytesIO(file.read("minima.npy")), allow_pickle=False)
    assert names == {
        *("manifest.json", "settings.toml", "dataset.npz", "summary.json", "database.json"),
        *("minima.json", "minima.npy", "transition_states.json", "transition_states.npy"),
        "eigenvectors.npy",
    }
    energies = [small.system.potential.getEnergy(x) for x in coords]
    assert [row["energy"] for row in minima] == energies
    assert minima[0]["user_data"]["verified"] == "ok"


def test_the_same_landscape_gives_the_same_file(tmp_path, archive, small):
    again = export_archive(small.path, tmp_path / "b.zip").place
    assert again.read_bytes() == archive.read_bytes()


@pytest.mark.parametrize("through", ["archive", "untrusted"])
def test_a_search_goes_on_as_if_nothing_had_been(tmp_path, land, alone, through):
    """A search that was cut short, carried over and continued ends as one without interruption."""
    with pytest.raises(KeyboardInterrupt):
        land.explore(interrupt_at(12), draw=False)
    assert contents(land) != contents(alone)
    if through == "archive":
        export_archive(land.path, tmp_path / "a.zip")
        there = import_archive(tmp_path / "b", tmp_path / "a.zip").place
    else:
        there = Landscape.open(land.path, untrusted=True)
    assert contents(there) == contents(land)
    there.explore(draw=False)
    assert contents(there) == contents(alone)


def test_values_that_json_lacks(tmp_path, shared):
    noted = {
        "certificate": {"energy": (-np.inf, np.inf), "beta": np.nan, "like": None, "empty": ()},
        "counts": [1, -0.0, 1e-320, 2**80],
    }
    point = replace(shared.tables.minima[0], user_data=noted, fvib=-1.5, pgorder=1e30, invalid=1)
    tables = replace(shared.tables, minima=[point, *shared.tables.minima[1:]])
    write_archive(tmp_path / "a.zip", replace(shared, tables=tables))
    found = read_archive(tmp_path / "a.zip")
    assert_same(found, replace(shared, tables=tables))


def test_what_another_program_noted_is_left_out_and_said(tmp_path, shared):
    point = replace(shared.tables.minima[0], user_data={"x": np.arange(3)})
    tables = replace(shared.tables, minima=[point, *shared.tables.minima[1:]])
    [note] = write_archive(tmp_path / "a.zip", replace(shared, tables=tables))
    assert "what another program noted on 1 points" in note
    assert read_archive(tmp_path / "a.zip").tables.minima[0].user_data is None


def test_results_are_carried_and_drawings_are_not(tmp_path, mapped):
    (mapped.path / "reach.json").write_text('{"format": 1}\n')
    (mapped.path / "notes.txt").write_text("mine")
    done = export_archive(mapped.path, tmp_path / "a.zip")
    there = import_archive(tmp_path / "b", done.place).place.path
    assert (there / "reach.json").read_text() == '{"format": 1}\n'
    assert sorted(path.name for path in there.iterdir()) == [
        *("dataset.npz", "landscape.sqlite", "reach.json", "settings.toml", "summary.json")
    ]


def first(change):
    return lambda found: change(found["points"][0])


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda f: f.pop("manifest.json"), r"it has no manifest\.json"),
        (lambda f: f.pop("minima.npy"), r"manifest\.json does not name minima\.npy"),
        (lambda f: f.pop("dataset.npz"), r"there is no file .*edited\.zip/dataset\.npz"),
        (lambda f: f.pop("settings.toml"), r"does not name settings\.toml"),
        (lambda f: f.update({"../../x.json": b"{}"}), "is no name of a file of plain data"),
        (lambda f: f.update({"/etc/x.json": b"{}"}), "is no name of a file of plain data"),
        (lambda f: f.update({".bashrc.txt": b""}), "is no name of a file of plain data"),
        (lambda f: f.update({"landscape.sqlite": b""}), "is no name of a file of plain data"),
        (lambda f: f.update({"run.py": b""}), "is no name of a file of plain data"),
        (lambda f: f.update({"x.json": b"{"}), r"x\.json is damaged"),
        (lambda f: f.update({"Minima.json": b"{}"}), r"Minima\.json is there twice"),
        (lambda f: f.update({"summary.json": b"[" * 10**6}), r"summary\.json is damaged"),
        (lambda f: f.update({"minima.npy": b"x"}), r"minima\.npy is damaged"),
        (
            lambda f: f.update({"minima.npy": npy(np.array([{}]), allow_pickle=True)}),
            r"minima\.npy is damaged: .*allow_pickle=False",
        ),
        (
            lambda f: f.update({"minima.npy": npy(np.zeros((1, 2)))}),
            r"minima\.npy is no array of float64 with \d+ rows",
        ),
        (
            lambda f: f.update({"eigenvectors.npy": npy(np.zeros((0, 2)))}),
            r"eigenvectors\.npy is no array of float64",
        ),
        (
            lambda f: f.update(
                {"minima.npy": npy(np.zeros((f["minima.json"].count(b'"energy"'), 2)))}
            ),
            "points have 2 coordinates, those of settings.toml have 36",
        ),
        (in_json("manifest.json", lambda m: m.update(version=2)), "install a newer nnpotential"),
        (in_json("manifest.json", lambda m: m.update(format="x")), "is of no landscape"),
        (in_json("minima.json", lambda m: m.update(points=3)), "holds no list of points"),
        (in_json("minima.json", first(lambda p: p.pop("id"))), r"minima\.json: point 1 is damaged"),
        (
            in_json("minima.json", first(lambda p: p.update(energy="0.1"))),
            "point 1 is damaged .*energy '0.1' is no finite number",
        ),
        (in_json("minima.json", first(lambda p: p.update(id=True))), "the id True is no number"),
        (in_json("minima.json", first(lambda p: p.update(id=2))), "two of the minima have one id"),
        (
            in_json("transition_states.json", first(lambda p: p.update(minima=[1, 99999]))),
            "names minima that are not there",
        ),
        (
            in_json("transition_states.json", first(lambda p: p.update(eigenvalue="x"))),
            "eigenval is 'x'",
        ),
        (
            in_json("database.json", lambda d: d["jobs"].append([1, "quench", "[]", 1, None])),
            "two rows of the kind job have one id",
        ),
        (
            in_json("database.json", lambda d: d["jobs"].append([10**6, "quench", "{}", 1, None])),
            "job 1000000 is damaged",
        ),
        (
            in_json("database.json", lambda d: d["properties"].append([99, "progress", *"..."])),
            "a property is damaged",
        ),
        (in_json("database.json", lambda d: d.update(jobs={})), "holds no list of jobs"),
        (in_json("minima.json", lambda d: d["points"][0].update(pgorder=2**70)), "pgorder is 118"),
        (in_json("minima.json", lambda d: d["points"][0].update(fvib=np.nan)), "NaN is no number"),
        (in_json("minima.json", lambda d: d["points"][0].update(id=2**70)), "point 1 is damaged"),
        (
            in_json("database.json", lambda d: d["jobs"].append([2**70, "quench", "[]", 1, None])),
            "a job is damaged",
        ),
        (
            in_json("database.json", lambda d: d["properties"].append([99, "a", 2**70, 0.0, ""])),
            "a property is damaged",
        ),
        (
            in_json("database.json", lambda d: d["properties"].append([99, "a", 1, 1, "\ud800"])),
            "a property is damaged",
        ),
        (
            in_json("database.json", lambda d: d["properties"].clear()),
            "was made with other settings",
        ),
        (
            lambda f: f.update(
                {"settings.toml": f["settings.toml"].replace(b"    4,\n    4", b"    5,\n    4")}
            ),
            "points have 36 coordinates, those of settings.toml have 44",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_in_one_line(tmp_path, archive, edit, message):
    bad = edited(archive, tmp_path, edit)
    before = tree(tmp_path)
    with pytest.raises(InputError, match=message) as refused:
        import_archive(tmp_path / "a", bad)
    assert "\n" not in str(refused.value)
    assert tree(tmp_path) == before
    assert not (tmp_path / "a").exists()


def test_a_file_that_was_changed(tmp_path, archive):
    def change(files):
        files["minima.json"] = files["minima.json"].replace(b'"ok"', b'"on"', 1)

    bad = edited(archive, tmp_path, change, sign=False)
    with pytest.raises(InputError, match=r"minima\.json is not what manifest\.json says \(SHA"):
        read_archive(bad)
    bad = edited(archive, tmp_path, lambda f: f.update({"x.json": b"{}"}), sign=False)
    with pytest.raises(InputError, match=r"x\.json is not named in manifest\.json"):
        read_archive(bad)
    longer = edited(archive, tmp_path, lambda f: f.update({"minima.npy": b"x"}), sign=False)
    with pytest.raises(InputError, match=r"minima\.npy has 1 bytes, manifest\.json says"):
        read_archive(longer)


def test_a_file_that_is_cut_short_or_damaged(tmp_path, archive):
    whole = archive.read_bytes()
    for content in (b"", b"text", whole[:-100], whole[: len(whole) // 2]):
        (tmp_path / "bad.zip").write_bytes(content)
        with pytest.raises(InputError, match=r"bad\.zip is no archive of a landscape, or damaged"):
            read_archive(tmp_path / "bad.zip")
    for at in np.random.default_rng(0).integers(0, len(whole), 40):
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        (tmp_path / "bad.zip").write_bytes(damaged)
        try:
            found = read_archive(tmp_path / "bad.zip")
        except InputError as error:
            assert "\n" not in str(error)
        else:  # in what names and dates surround
            assert_same(found, read_archive(archive))


def test_a_bomb_is_not_unpacked(tmp_path, archive):
    zeros = bytes(2**27)
    files = {f"{k}.txt": zeros for k in range(3)}
    bomb = edited(archive, tmp_path, lambda f: f.update(files), sign=False)
    with pytest.raises(InputError, match=r"all of it has \d+ bytes and would take 4\d+ unpacked"):
        read_archive(bomb)
    many = {f"{k}.txt": b"" for k in range(1000)}
    bomb = edited(archive, tmp_path, lambda f: f.update(many), sign=False)
    with pytest.raises(InputError, match=r"it holds 10\d\d files"):
        read_archive(bomb)
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("X_train.npy", bytes(2**29))
    bomb = edited(archive, tmp_path, lambda f: f.update({"dataset.npz": inner.getvalue()}))
    with pytest.raises(InputError, match=r"dataset\.npz has \d+ bytes and would take"):
        read_archive(bomb)


def test_an_array_that_claims_to_be_larger_than_memory(tmp_path, archive):
    stream = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**6)}
    np.lib.format.write_array_header_1_0(stream, header)
    bad = edited(archive, tmp_path, lambda f: f.update({"minima.npy": stream.getvalue()}))
    with pytest.raises(InputError, match=r"minima\.npy is damaged"):
        read_archive(bad)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_export_or_import_leaves_nothing(
    tmp_path, small, archive, monkeypatch, error
):
    def interrupted(*args, **kwargs):
        raise error

    monkeypatch.setattr("zipfile.ZipFile.writestr", interrupted)
    with pytest.raises(error):
        export_archive(small.path, tmp_path / "b.zip")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    monkeypatch.setattr("nnpotential.search.journal.Journal.restore", interrupted)
    with pytest.raises(error):
        import_archive(tmp_path / "a", archive)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_taken(tmp_path, small, archive, mapped):
    (tmp_path / "there.zip").write_text("mine")
    with pytest.raises(InputError, match=r"there\.zip is there already"):
        export_archive(small.path, tmp_path / "there.zip")
    with pytest.raises(InputError, match="a directory with other things in it"):
        import_archive(mapped.path, archive)
    assert (tmp_path / "there.zip").read_text() == "mine"


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        import_archive(tmp_path / "a", tmp_path / "none.zip")
    assert os.listdir(tmp_path) == []
