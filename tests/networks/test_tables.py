"""CSV files as other programs write them: read rightly, or refused with the remedy."""

import numpy as np
import pytest

from nnpotential import InputError, load_dataset
from nnpotential.networks.tables import read_table

N = 30
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 2)).round(3)
COUNTS = RNG.integers(0, 9, (N, 3))
Y = np.arange(N) % 3
WORDS = np.array(["setosa", "versicolor", "vírginica"])


def rows(X=X, y=Y, separator=",", decimal=".", header=None, index=None, end="", newline="\n"):
    """A file of samples, as text."""
    lines = [] if header is None else [header + end]
    for i, (inputs, target) in enumerate(zip(X.tolist(), y, strict=True)):
        cells = [repr(value).replace(".", decimal) for value in inputs] + [str(target)]
        if index is not None:
            cells.insert(0, index.format(i))
        lines.append(separator.join(cells) + end)
    return newline.join(lines) + newline


def quoted(text):
    return "".join(f'"{line}"\n'.replace(",", '","') for line in text.splitlines())


def save(tmp_path, content):
    path = tmp_path / "data.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


WRITTEN_ALIKE = {
    "plain": rows(),
    "header": rows(header="a,b,y"),
    "pandas, index=False": rows(header="0,1,2", y=Y.astype(float)),
    "pandas": rows(header=",0,1,2", index="{}"),
    "pandas, one name": rows(header="0,1,y"),
    "pandas, words": rows(header=",a,b,y", index="{}"),
    "pandas, shuffled": rows(header=",a,b,y", index="7{}"),
    "pandas, twice": rows(header="Unnamed: 0,0,1,2", index="{}"),
    "R, write.csv": quoted(rows(header=",a,b,y", index="{}")),
    "R, write.table": rows(header="a,b,y", index="car {}"),
    "years as names": rows(header="2020,2021,y"),
    "numpy": rows(header="# a,b,y"),
    "comments": "\n# made\n# by hand\n" + rows(),
    "semicolons": rows(separator=";"),
    "decimal commas": rows(separator=";", decimal=",", header="a;b;y"),
    "tabs": rows(separator="\t"),
    "tabs and decimal commas": rows(separator="\t", decimal=","),
    "bars": rows(separator="|"),
    "blanks": rows(separator=", "),
    "separators at the end": rows(separator=";", decimal=",", header="a;b;y", end=";;"),
    "separators below": "a,b,y\n" + rows(end=","),
    "separators alone": rows(separator=";") + ";;\n;;\n",
    "blank lines": rows().replace("\n", "\n\n"),
    "Windows": rows(header="a,b,y", newline="\r\n"),
    "old Mac": rows(newline="\r"),
    "byte-order mark": "\ufeff" + rows(),
    "byte-order mark and header": "\ufeff" + rows(header="a,b,y"),
    "UTF-16": rows(header="a,b,y").encode("utf-16"),
    "Latin-1": rows(header="Größe,b,y").encode("latin-1"),
    "quotes": quoted(rows(header="a,b,y")),
    "quoted numbers": quoted(rows(header="0,1,2")),
}


@pytest.mark.parametrize("text", WRITTEN_ALIKE.values(), ids=WRITTEN_ALIKE)
def test_written_alike(tmp_path, text):
    inputs, target, _ = read_table(save(tmp_path, text))
    assert np.array_equal(inputs, X)
    assert np.array_equal(target, Y)


@pytest.mark.parametrize(
    ("text", "n_inputs", "notes"),
    [
        (rows(), 2, []),
        (rows(header="a,b,y"), 2, []),
        (rows(header=",a,b,y", index="{}"), 2, ["first column has no name"]),
        (rows(header="0,1,2"), 2, ["line 1, '0,1,2', is taken as a header"]),
        (rows(header="Id,a,b,y", index="{}"), 3, ["counts the samples and is taken as an input"]),
        (rows(index="{}"), 3, ["counts the samples and is taken as an input"]),
        (rows(COUNTS, header="0,1,2,3"), 3, ["is taken as a header"]),  # no other is of class 3
    ],
)
def test_what_is_decided_is_said(tmp_path, caplog, text, n_inputs, notes):
    data = load_dataset(save(tmp_path, text))
    assert data.n_inputs == n_inputs
    assert len(data.X_train) + len(data.X_test) == N
    assert len(caplog.messages) == len(notes)
    for message, note in zip(caplog.messages, notes, strict=True):
        assert note in message


def test_a_header_above_real_targets(tmp_path):
    text = rows(X, y=RNG.normal(size=N), header="0,1,2")
    assert len(read_table(save(tmp_path, text), regression=True)[0]) == N


@pytest.mark.parametrize(
    ("targets", "classes"),
    [
        (WORDS[Y], ["setosa", "versicolor", "vírginica"]),
        (Y + 1, [1, 2, 3]),
        (2 * (Y // 2) - 1, [-1, 1]),
        (Y > 0, ["False", "True"]),
        (Y.astype(float), None),
    ],
)
def test_classes_are_numbered_in_order(tmp_path, caplog, targets, classes):
    data = load_dataset(save(tmp_path, rows(y=targets)), standardize=False)
    rank = np.unique(targets, return_inverse=True)[1]
    expected = load_dataset((X, rank), standardize=False)
    assert np.array_equal(data.y_train, expected.y_train)
    assert data.details == expected.details | ({"classes": classes} if classes else {})
    assert data.settings.get("classes") == classes
    said = [m for m in caplog.messages if "are numbered 0 to" in m]
    assert len(said) == (classes is not None)
    # words in the encoding of old spreadsheets
    if classes and classes[0] == "setosa":
        latin = load_dataset(save(tmp_path, rows(y=targets).encode("latin-1")))
        assert latin.details["classes"] == classes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,1,2\n1,2,0\n2,0,1\n1,1,2\n0,2,2\n", "line 1: is '0,1,2' a header or a sample"),
        ("2020,2021,y\n1,2,0\n3,4,1\n", "line 1: is '2020,2021,y' a header or a sample"),
        (rows(COUNTS, header="0,1,2,3"), None),
        ("a,b,y\n1,,0\n3,4,1\n", r"column 2 \('b'\), line 2: the value is missing"),
        ("1,2,0\n\n3,NA,1\n", "column 2, line 3: the value is missing"),
        ("1,nan,0\n3,4,1\n", "column 2, line 1: the value is missing"),
        ("1,2,0\n3,4,\n", "column 3, line 2: the value is missing"),
        (",2,0\n3,4,1\n", "column 1, line 1: the value is missing"),
        ("1,2,0\n3,-inf,1\n", "column 2, line 2: '-inf' is not finite"),
        ("1,2,0\n3,1_000,1\n", "column 2, line 2: '1_000' is not a number"),
        ("1,2,0\n3,4,x\n", "column 3, line 2: 'x' is not a number, and other targets are"),
        ("y,a,b\nred,1,2\nblue,3,4\n", "'red' is not a number; .* the last column is the target"),
        ("1,5;2;0\n2.5;1,5;1\n", "'2.5' is not a number .it has a decimal point, others"),
        ('"1,5",2,0\n"2,5",1,1\n', "write it with a decimal point and no comma"),
        ("1,234;2;0\n5,678;3;1\n", "'1,234' may have a decimal comma or one between thousands"),
        ("1 2 0\n3 4 1\n", "separated by commas, semicolons, tabs or bars"),
        ("1,2,0\n3,4,1,1\n", "line 2: 4 columns where the first line has 3"),
        (b"\x89PNG\r\n\x1a\n\0\0", "it is not text"),
        ('1,2,0\n3,"4,1\n', "unexpected end of data"),
        (rows(y=[f"id{i}" for i in range(N)]), "30 different words for 30 samples"),
        (rows(y=5 * Y + 4), "start at 0, not at 4 .*--loss squared_error"),
        (rows(y=(Y + 20) * 7 + np.arange(N)), "--loss squared_error"),
        (rows(y=RNG.normal(size=N)), "labels must be integers.*--loss squared_error"),
        (rows(y=[0, 1, 3] * (N // 3)), "class 2 has no sample"),
    ],
)
def test_refused_with_the_remedy(tmp_path, text, message):
    path = save(tmp_path, text)
    with pytest.raises(InputError, match=message or "header or a sample") as refusal:
        load_dataset(path, regression=message is None)
    assert "\n" not in str(refusal.value)


def test_large_numbers_pass_though_their_sum_does_not(tmp_path):
    path = save(tmp_path, "1e308,1.7e308,0\n1,2,1\n")
    assert read_table(path)[0][0, 1] == 1.7e308


@pytest.mark.parametrize("name", ["data.txt", "data.csv.gz", "data"])
def test_other_files_are_told_what_is_read(tmp_path, name):
    path = tmp_path / name
    path.write_text(rows())
    with pytest.raises(InputError, match="a data file is CSV or npz"):
        load_dataset(path)
