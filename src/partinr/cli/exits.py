"""What goes wrong, as an exit code and one line on standard error."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, cast

import typer

from partinr.cli.console import complain
from partinr.cli.interrupt import interruptible
from partinr.errors import InputError

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

# Typer exports only a subclass of what a wrong command line raises, and has moved its base classes.
_UsageError = cast("type[Exception]", typer.BadParameter.__base__)


class Interrupted(Exception):
    """A command ended by Ctrl-C."""


def exit_code(run: Callable[[], Any]) -> int:
    """Run a command line and say what is wrong with it, if anything is.

    Bugs, that is exceptions that nobody foresaw, pass with their traceback.
    """
    try:
        with interruptible():
            returned = run()
    except _UsageError as error:
        complain(_usage_message(error))
        return USAGE
    except InputError as error:
        complain(str(error))
        return USAGE
    except OSError as error:
        complain(_os_message(error))
        return USAGE
    except (MemoryError, RuntimeError, ArithmeticError) as error:
        message = _known_failure(error)
        if message is None:
            raise
        complain(message)
        return FAILED
    except (Interrupted, KeyboardInterrupt):
        complain("interrupted")
        return INTERRUPTED
    return returned if isinstance(returned, int) else DONE


def _usage_message(error: Any) -> str:
    path = error.ctx.command_path if error.ctx is not None else "partinr"
    return f"{error.format_message().rstrip('.')} (see {path} --help)"


def _os_message(error: OSError) -> str:
    what = f"{error.filename}: " if error.filename is not None else ""
    remedy = "; make room, or write to another place" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
    return f"{what}{error.strerror or error}{remedy}"


def _known_failure(error: Exception) -> str | None:
    """The line for failures that are nobody's fault; None for bugs."""
    # By name: importing torch to learn the classes would take longer than most commands do.
    kind = type(error).__name__
    if kind in ("DivergedError", "WorkersLost"):
        return str(error)
    if isinstance(error, MemoryError) or kind == "OutOfMemoryError" or "allocate memory" in str(error):
        return "not enough memory; take a smaller signal or size, or close other programs"
    return None
