"""Where the command line starts: from here on Ctrl-C and SIGTERM are silent, and leave nothing."""

import gc
import os
import shutil
import signal
import sys

__all__ = ["main"]


def main():
    """Run the command line; see `nnpotential.cli`."""
    handled = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    handled = [number for number, usual in handled.items() if signal.getsignal(number) is usual]
    made = []

    def leave(number, _):
        for folder in made:
            shutil.rmtree(folder, ignore_errors=True)
        os._exit(128 + number)

    for number in handled:
        # the imports take a second, and could swallow an exception
        signal.signal(number, leave)
    if _explores_with_workers(sys.argv[1:]):
        from multiprocessing.util import get_temp_dir

        from .interrupts import worker_context
        from .search.preloaded import JOBS

        made.append(get_temp_dir())
        # they import for a second, as this process does: side by side
        worker_context(*JOBS, "nnpotential.networks.system")
    gc.disable()  # what is imported stays: to look through it again and again is in vain
    try:
        from .cli import main as run
    except ImportError as error:
        if "--debug" in sys.argv:
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    gc.freeze()
    gc.enable()
    try:
        for number in handled:
            signal.signal(number, signal.default_int_handler)
        run()
    except KeyboardInterrupt:
        sys.exit(130)


def _explores_with_workers(arguments):
    """Whether more than this process is to explore; other commands may need other imports."""
    words = " ".join(arguments).replace("=", " ").split()
    if not {"explore", "--workers"} <= set(words):
        return False
    return words[words.index("--workers") + 1 :][:1] not in ([], ["1"])


if __name__ == "__main__":
    main()
