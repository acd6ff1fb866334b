"""The command line: one file per command; they parse, call and print, and compute nothing.

What needs NumPy or torch is imported inside the commands, so that `partinr --help` does not wait for it.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
import warnings

from partinr.cli.streams import open_streams

_LEAST_COLUMNS = 40


def main() -> None:
    """Run the command line of this process."""
    # torch makes a million objects that stay; to look for garbage among them, while it is imported and once
    # more at the end, would take a third of a second.
    gc.set_threshold(100_000, 20, 100)
    atexit.register(gc.freeze)
    # torch's threads (GNU OpenMP's) wait awake for a millisecond after every operation, on the cores that the
    # kernel's threads need: here for a thirtieth of that. Read when torch is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    output = open_streams()
    # On very few columns the help shows nothing, and on none at all nor do tables.
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) < _LEAST_COLUMNS:
        os.environ["COLUMNS"] = str(_LEAST_COLUMNS)
    # Warnings are for developers, who can have them with python -W.
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    try:
        from partinr.cli.commands import app

        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except SystemExit as end:
        sys.stdout.flush()
        if output is None or output.failure is None:
            raise
        print(f"partinr: standard output: {output.failure.strerror}", file=sys.stderr)  # noqa: T201
        sys.exit(end.code or 1)
