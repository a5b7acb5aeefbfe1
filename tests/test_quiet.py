"""What pele prints is dropped, and nothing else."""

import sys
import threading

from nnpotential.quiet import quiet


def test_only_the_quiet_thread_is_quiet(capsys):
    inside, go = threading.Event(), threading.Event()

    def work():
        with quiet():
            print("dropped")
            inside.set()
            go.wait()

    before = sys.stdout
    thread = threading.Thread(target=work)
    thread.start()
    inside.wait()
    print("kept")
    go.set()
    thread.join()
    assert sys.stdout is before
    assert capsys.readouterr().out == "kept\n"
