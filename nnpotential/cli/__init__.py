"""The command line: a module for each kind of command, and how it starts and fails."""

import logging
import sys
import warnings
from contextlib import contextmanager
from pickle import UnpicklingError

import typer
from sqlalchemy.exc import DatabaseError
from threadpoolctl import threadpool_limits

from ..database import database_fault
from ..errors import InputError
from ..view.terminal import prepare_streams, say
from .shared import app

# in the order in which --help lists their commands
from . import mapping, training, locating, looking, files, sweeps  # noqa: F401  # isort: skip

__all__ = ["app", "main"]

_UsageError = typer.BadParameter.__bases__[0]  # typer brings its own click


@contextmanager
def _logged(logger):
    handler = logging.StreamHandler(sys.stderr)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def main():
    """Run the command line; errors are one line and exit code 2."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"]
    prepare_streams()
    # of its configuration, which our drawings do not follow
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        # small matrices: BLAS threads only stand in each other's way
        with (
            threadpool_limits(1),
            _logged(logging.getLogger("nnpotential")),
            warnings.catch_warnings(),
        ):
            warnings.showwarning = lambda message, *_: say(f"warning: {message}")
            code = app(arguments, prog_name="nnpotential", standalone_mode=False)
    except _UsageError as error:
        _fail(error.format_message())
    except (InputError, OSError, DatabaseError, UnpicklingError, MemoryError) as error:
        if debug:
            raise
        if isinstance(error, DatabaseError):
            _fail(f"the database {database_fault(error.orig)}")
        if isinstance(error, UnpicklingError):
            _fail(f"the database is damaged: {error}")
        if isinstance(error, MemoryError):
            _fail(f"out of memory: {error}" if str(error) else "out of memory")
        _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    sys.exit(code or 0)


def _fail(message):
    say(f"error: {' '.join(message.split())}")
    sys.exit(2)
