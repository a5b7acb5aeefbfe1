"""Where the command line starts: from here on Ctrl-C is silent."""

import os
import signal
import sys

__all__ = ["main"]


def main():
    """Run the command line; see `nnpotential.cli`."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        # the imports take a second, leave nothing behind, and could swallow an exception
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    try:
        from .cli import main as run
    except ImportError as error:
        if "--debug" in sys.argv:
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    try:
        signal.signal(signal.SIGINT, before)
        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
