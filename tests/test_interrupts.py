"""Ctrl-C at the worst of moments."""

import os
import signal
import threading

import pytest
from landscapes import FEW, NET, contents
from sqlalchemy import event

from nnpotential import Landscape
from nnpotential.analysis.reach import store_new
from nnpotential.interrupts import uninterrupted


@pytest.fixture(autouse=True)
def listening():
    """A shell that runs the tests in the background has them ignore the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press_ctrl_c(number=signal.SIGINT):
    os.kill(os.getpid(), number)


def test_an_interrupt_waits_for_the_end_of_the_block():
    reached = []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        press_ctrl_c()
        press_ctrl_c()
        reached.append("end")
    assert reached == ["end"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_termination_waits_as_well():
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        reached = []
        with pytest.raises(KeyboardInterrupt), uninterrupted():
            press_ctrl_c(signal.SIGTERM)
            reached.append("end")
        assert reached == ["end"]
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("last", [signal.SIGINT, signal.SIGTERM])
def test_two_kinds_are_both_delivered(last):
    heard = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        with pytest.raises(KeyboardInterrupt), uninterrupted():
            for number in sorted((signal.SIGINT, signal.SIGTERM), key=lambda n: n == last):
                press_ctrl_c(number)
        assert heard == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)


def test_blocks_within_blocks():
    reached = []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        with uninterrupted():
            press_ctrl_c()
        reached.append("end")
    assert reached == ["end"]


def test_an_error_does_not_hide_the_interrupt():
    with pytest.raises(KeyboardInterrupt) as caught, uninterrupted():
        press_ctrl_c()
        raise ValueError("meanwhile")
    assert isinstance(caught.value.__context__, ValueError)


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with uninterrupted():
            press_ctrl_c()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_process_forked_within_hears_ctrl_c():
    with uninterrupted():
        child = os.fork()
        if child == 0:
            try:
                press_ctrl_c()
            except KeyboardInterrupt:
                os._exit(7)
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_other_threads_may_use_it():
    done = []

    def work():
        with uninterrupted():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done


def test_ctrl_c_within_a_merge(tmp_path, ljat, alone, monkeypatch):
    """Every so often while the database is written, and nothing is lost or half done."""
    import nnpotential.search.known as known

    land = Landscape.create(tmp_path / "a", NET, ljat, regularization=1e-3, seed=5, **FEW)
    true_store, calls = known.store_minimum, 0

    def store(database, *args):
        nonlocal calls
        calls += 1
        if calls % 8 == 3:
            press_ctrl_c()
        return true_store(database, *args)

    monkeypatch.setattr(known, "store_minimum", store)
    interrupts = 0
    for _ in range(50):
        try:
            land.explore()
            break
        except KeyboardInterrupt:
            interrupts += 1
    assert 3 < interrupts < 50
    assert contents(land) == contents(alone)


def test_an_interrupt_waits_until_the_ends_of_training_are_committed(box, database):
    event.listen(database.session, "before_commit", lambda _: press_ctrl_c(), once=True)
    new = {"1": {"energy": 0.0, "coords": [0.0, 0.0, 0.0]}}
    with pytest.raises(KeyboardInterrupt):
        store_new(box, database, {"new": new})
    database.session.rollback()
    assert database.number_of_minima() == 1
