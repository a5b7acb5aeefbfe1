"""Ctrl-C and SIGTERM that wait until nothing is half done, and are for one process alone."""

import multiprocessing
import os
import signal
import threading
from contextlib import ExitStack, contextmanager
from multiprocessing import forkserver, resource_tracker

__all__ = ["uninterrupted", "worker_context"]

_ENDS = signal.SIGINT, signal.SIGTERM


@contextmanager
def uninterrupted():
    """Put off a Ctrl-C, or a SIGTERM that is handled, until the end of the block.

    It should be short.

    A KeyboardInterrupt can be raised anywhere: within the libraries that write the
    database it leaves them in a state of which they complain later, and in a
    destructor it is lost.
    """
    handlers = {number: signal.getsignal(number) for number in _ENDS}
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    # only the main thread is interrupted, and only it may set a handler
    if not handlers or threading.current_thread() is not threading.main_thread():
        yield
        return
    received, here = [], os.getpid()

    def put_off(number, frame):
        if os.getpid() == here:
            received.append((number, frame))
        else:  # a process forked within the block keeps this handler
            handlers[number](number, frame)

    with ExitStack() as ends:  # all of it happens, whatever one of them raises
        ends.callback(lambda: _deliver(handlers, dict(received)))
        for number, handler in handlers.items():
            ends.callback(signal.signal, number, handler)
            signal.signal(number, put_off)
        yield


def _deliver(handlers, received):
    if received:
        number, frame = received.popitem()
        try:
            handlers[number](number, frame)
        finally:
            _deliver(handlers, received)


def worker_context(*modules):
    """How processes start that do the work of this one: forked from a server that has the modules.

    A fork of this process would share its open database.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(modules))
    # Ctrl-C is for this process: workers inherit that it is blocked
    # the tracker of resources starts first, as its start lifts the block again
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context
