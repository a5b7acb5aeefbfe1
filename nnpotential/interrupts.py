"""Ctrl-C that waits until nothing is half done."""

import os
import signal
import threading
from contextlib import contextmanager

__all__ = ["uninterrupted"]


@contextmanager
def uninterrupted():
    """Put off a Ctrl-C until the end of the block, which should be short.

    A KeyboardInterrupt can be raised anywhere: within the libraries that write the
    database it leaves them in a state of which they complain later, and in a
    destructor it is lost.
    """
    handler = signal.getsignal(signal.SIGINT)
    # only the main thread is interrupted, and only it may set a handler
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    received, here = [], os.getpid()

    def put_off(*args):
        if os.getpid() == here:
            received.append(args)
        else:  # a process forked within the block keeps this handler
            handler(*args)

    signal.signal(signal.SIGINT, put_off)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if received:
            handler(*received[-1])
