"""What a terminal shows, and what a pipe gets instead."""

import io
import os
import sys
from types import SimpleNamespace

import pytest

import nnpotential as nnp
from nnpotential import InputError, pulse
from nnpotential.view import terminal
from nnpotential.view.terminal import (
    Reporter,
    audit_text,
    failure_lines,
    heard,
    prepare_streams,
    print_summary,
    say,
    show,
)


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when it is told to."""
    now = [0.0]
    monkeypatch.setattr(terminal, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(pulse, "monotonic", lambda: now[0])
    return now


def test_names_with_brackets_and_colons_are_shown_as_they_are(capsys):
    say("[red]a[/] :smile:")
    show("[bold]b :smile: 12 'c'")
    out, err = capsys.readouterr()
    assert (out, err) == ("[bold]b :smile: 12 'c'\n", "[red]a[/] :smile:\n")


def test_of_what_fails_the_first_are_named_and_the_rest_counted():
    points = [("minimum", 1, "unverified"), *(("minimum", n, "wrong index") for n in range(2, 21))]
    lines = failure_lines(points)
    assert len(lines) == 20
    assert (lines[0], lines[-1]) == ("minimum 2: wrong index", "minimum 1: unverified")
    points.append(("transition state", 1, "not above"))
    *lines, rest = failure_lines(points)
    assert (len(lines), lines[-1], rest) == (20, "transition state 1: not above", "and 1 more")
    assert failure_lines([]) == []


def test_a_pipe_gets_a_line_now_and_then(capsys, clock):
    with Reporter() as report:
        for seconds in (1, 9, 11, 12, 20, 22):
            clock[0] = float(seconds)
            report("basin_hopping_runs", seconds, 30, "3 minima")
    assert capsys.readouterr().err.splitlines() == [
        "basin hopping runs: 11 of 30, 3 minima",
        "basin hopping runs: 22 of 30, 3 minima",
    ]


def test_a_terminal_gets_bars(monkeypatch):
    """One for each stage, the end of the text cut where there is no room."""
    stream = io.StringIO()
    monkeypatch.setattr(
        terminal,
        "_Console",
        lambda **_: terminal.Console(file=stream, force_terminal=True, width=50, color_system=None),
    )
    with Reporter() as report:
        report("quenches", 3, 10, "2 minima")
        report("connect", 1, 4, "long " * 20)
        report("quenches", 10, 10, "5 minima")
    lines = [line for line in stream.getvalue().splitlines() if "connect" in line]
    assert "1/4" in lines[-1]
    assert "quenches" in stream.getvalue() and "10/10 5 minima" in stream.getvalue()


def test_what_work_tells_is_heard(capsys, clock):
    with heard():
        for seconds in (5, 11, 12, 25):
            clock[0] = float(seconds)
            pulse.tell("relaxing", seconds, unit="samples")
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["relaxing, 11 samples", "relaxing, 25 samples"]


def test_a_reader_that_is_gone_does_not_matter(monkeypatch):
    read, write = os.pipe()
    os.close(read)
    stream = os.fdopen(write, "w")
    monkeypatch.setattr("sys.stderr", stream)
    say("nobody reads this")
    say("nor this")
    stream.close()  # what is left in its buffer goes nowhere, without an error


def test_a_reader_that_is_gone_costs_no_descriptor(monkeypatch):
    read, write = os.pipe()
    stream = os.fdopen(write, "w")
    monkeypatch.setattr("sys.stderr", stream)
    before = lowest_free()
    os.close(read)
    say("nobody reads this")
    assert lowest_free() == read < before
    stream.close()


def test_a_stream_that_was_closed_below_leads_nowhere(monkeypatch):
    """A descriptor that is opened then has its number."""
    stream = open(os.devnull, "w")  # noqa: SIM115
    monkeypatch.setattr("sys.stderr", stream)
    os.close(stream.fileno())
    say("nobody reads this")
    os.fstat(stream.fileno())
    stream.close()


def lowest_free():
    number = os.open(os.devnull, os.O_RDONLY)
    os.close(number)
    return number


def test_a_result_that_cannot_be_written_is_an_error(monkeypatch):
    stream = open("/dev/full", "w")  # noqa: SIM115
    monkeypatch.setattr("sys.stdout", stream)
    with pytest.raises(InputError, match="standard output cannot be written: No space left"):
        show("x" * 100_000)
    stream.close()


def test_streams_that_are_closed_lead_nowhere(monkeypatch):
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(f"sys.{name}", None)
    prepare_streams()
    print("to nobody")
    print("to nobody", file=sys.stderr)
    assert sys.stdin.read() == ""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        stream.close()


def test_what_a_stream_cannot_encode_is_escaped(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii"))
    prepare_streams()
    print("ä", flush=True)
    assert raw.getvalue() == b"\\xe4\n"


@pytest.mark.parametrize(
    ("mean", "audit", "text"),
    [
        (None, None, "-"),
        (0.125, None, "0.125, not audited"),
        (
            0.125,
            {"fall": 0.02, "interval": [0.0, 0.0913]},
            "0.125, may fall by 2.0 % (0.0 to 9.1)",
        ),
    ],
)
def test_a_mean_barrier_says_how_far_it_may_fall(mean, audit, text):
    assert audit_text({"mean_barrier": mean, "barrier_audit": audit}).startswith(text)


def test_figures_that_nothing_has_are_left_out(tmp_path, capsys):
    land = nnp.Landscape.create(tmp_path / "a", nnp.EggBox(), quenches=0, basin_hopping_runs=0)
    print_summary(land.explore())
    out = capsys.readouterr().out
    land.close()
    cells = [line.split("│")[1:3] for line in out.splitlines() if "│" in line]
    rows = {label.strip(): value.strip() for label, value in cells}
    assert rows["minima"] == rows["transition states"] == "0"
    assert "lowest energy" not in rows and "coverage (Good-Turing)" not in rows
    assert "minima that quenches can reach" not in rows
