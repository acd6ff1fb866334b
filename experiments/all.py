"""Runs every experiment of the manual, one after another, and so writes all its figures and numbers again.

    python experiments/all.py [PHOTOGRAPH [IMAGES]]

Without the paper's demonstration photograph, and a folder of images to judge learned starts on, neither of
which can be shipped, the tables about them stay as they are.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

COMMANDS = (
    ("comparison.py",),
    ("comparison.py", "--rate", "1e-3"),
    ("coordinate_fault.py",),
    ("learning_rates.py",),
    ("hypothesis.py",),
)
WITH_PHOTOGRAPH = (
    ("coordinate_fault.py", "{}"),
    ("coordinate_fault.py", "{}", "--crop"),
    ("comparison.py", "{}", "--size", "105", "150", "--steps", "1500", "--rate", "1e-3"),
)
WITH_IMAGES = (("meta_modes.py", "{1}"),)


def main() -> None:
    folder = Path(__file__).parent
    given = sys.argv[1:3]
    more = (WITH_PHOTOGRAPH, WITH_IMAGES)[: len(given)]
    for script, *rest in (*COMMANDS, *(command for commands in more for command in commands)):
        words = [word.format(*given) for word in rest]
        print("==", script, *words, flush=True)
        subprocess.run([sys.executable, folder / script, *words], check=True)


if __name__ == "__main__":
    main()
