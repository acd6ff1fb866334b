"""Runs every experiment of the manual, one after another, and so writes all its figures and numbers again.

    python experiments/all.py [PHOTOGRAPH]

Without the paper's demonstration photograph, which cannot be shipped, the tables about it stay as they are.
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
)
WITH_PHOTOGRAPH = (
    ("coordinate_fault.py", "{}"),
    ("coordinate_fault.py", "{}", "--crop"),
    ("comparison.py", "{}", "--size", "175", "250", "--steps", "1500", "--rate", "1e-3"),
)


def main() -> None:
    folder = Path(__file__).parent
    photograph = sys.argv[1:2]
    for script, *rest in (*COMMANDS, *(WITH_PHOTOGRAPH if photograph else ())):
        words = [word.format(*photograph) for word in rest]
        print("==", script, *words, flush=True)
        subprocess.run([sys.executable, folder / script, *words], check=True)


if __name__ == "__main__":
    main()
