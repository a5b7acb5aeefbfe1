"""Where the command line starts: from here on Ctrl-C is silent."""

import gc
import os
import signal
import sys

__all__ = ["main"]

# what the jobs of a search import
_OF_JOBS = "search.workers", "verification.kinds", "networks.system"


def main():
    """Run the command line; see `nnpotential.cli`."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        # the imports take a second, leave nothing behind, and could swallow an exception
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    if _explores_with_workers(sys.argv[1:]):
        from .interrupts import worker_context

        # they import for a second, as this process does: side by side
        worker_context(*(f"{__package__}.{name}" for name in _OF_JOBS))
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
        signal.signal(signal.SIGINT, before)
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
