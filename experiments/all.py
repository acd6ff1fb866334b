"""Runs every experiment of the manual, one after another, and so writes all its figures and numbers again.

    python experiments/all.py [PHOTOGRAPH [IMAGES]] [--timings] [--dry-run]

PHOTOGRAPH is the paper's demonstration, IMAGES the folder of the Kodak photographs. Neither can be shipped;
tables about one that is not given stay as they are. Experiments keep their runs in experiments/runs: a second
call goes on where the first one stopped, and only draws again what is done. --timings adds the benchmarks,
whose seconds belong to the machine that they are run on. Minutes are about those of two cores; those of the
benchmarks are rough.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PHOTOGRAPH, IMAGES = "PHOTOGRAPH", "IMAGES"
COMPARISON = ("experiments/comparison.py",)
SEEDS = (*COMPARISON, "--size", "160", "160", "--seeds", "3")


@dataclass(frozen=True)
class Script:
    """One command.

    Attributes:
        page: that it writes into.
        minutes: that it takes.
        command: the script and its words; PHOTOGRAPH and IMAGES stand for what was given, IMAGES/a* for files
            there.
    """

    page: str
    minutes: float
    command: tuple[str, ...]

    def words(self, given: dict[str, Path]) -> list[str] | None:
        """The command with what was given; None if something is missing."""
        words = []
        for word in self.command:
            name, _, pattern = word.partition("/")
            if name not in (PHOTOGRAPH, IMAGES):
                words.append(word)
                continue
            found = (
                [] if name not in given else sorted(given[name].glob(pattern)) if pattern else [given[name]]
            )
            if not found:
                return None
            words += map(str, found)
        return words


EXPERIMENTS = (
    Script("comparison.md", 3, ("experiments/rivals.py",)),
    Script("hypothesis.md", 20, ("experiments/hypothesis.py",)),
    Script("published.md", 3, COMPARISON),
    Script("published.md", 3, (*COMPARISON, "--rate", "1e-3")),
    Script("published.md", 6, (*SEEDS, "--networks", "siren", "relu")),
    Script("published.md", 6, (*SEEDS, "--networks", "siren", "relu", "--rate", "1e-3")),
    Script("published.md", 12, (*SEEDS, "--networks", "relu", "--rate", "1e-3", "--steps", "2000")),
    Script("published.md", 1, ("experiments/coordinate_fault.py",)),
    Script("published.md", 1, ("experiments/learning_rates.py",)),
    Script("published.md", 1, ("experiments/coordinate_fault.py", PHOTOGRAPH)),
    Script(
        "published.md",
        1,
        (*COMPARISON, PHOTOGRAPH, "--size", "105", "150", "--steps", "1500", "--rate", "1e-3"),
    ),
    Script("meta.md", 10, ("experiments/meta_modes.py", IMAGES)),
    Script("compact.md", 15, ("experiments/rate_distortion.py", IMAGES)),
    Script("between.md", 15, ("experiments/enlarging.py", IMAGES)),
    Script("petapixel.md", 1, ("experiments/petapixel.py",)),
)
"""Figures and tables that follow from seeds."""

TIMINGS = (
    Script("index.md", 4, ("benchmarks/front.py", "--write")),
    Script("hypothesis.md", 3, ("benchmarks/hypothesis.py", "--write")),
    Script("performance.md", 2, ("benchmarks/kernel.py", "--write")),
    Script("performance.md", 5, ("benchmarks/sizes.py", "--write")),
    Script("performance.md", 5, ("benchmarks/photograph.py", PHOTOGRAPH, "--write")),
    Script("method.md", 10, ("benchmarks/cooldown.py", "--write")),
    Script("README.md", 3, ("benchmarks/step.py", "--write")),
    Script("meta.md", 5, ("benchmarks/meta.py", "--write")),
    Script("choosing.md", 5, ("docs/measure_choices.py", "partitions", "budgets", "steps")),
    Script(
        "choosing.md",
        10,
        (
            *("docs/measure_choices.py", "networks", "--pictures"),
            *("IMAGES/kodim0[147].png", "IMAGES/kodim10.png"),
        ),
    ),
    Script("README.md", 3, ("benchmarks/folder.py", IMAGES, "--write")),
    Script("performance.md", 5, ("benchmarks/command.py", IMAGES, "--write")),
    Script(
        "performance.md",
        5,
        ("benchmarks/precision.py", "IMAGES/kodim0[15].png", "IMAGES/kodim12.png", "--write"),
    ),
    Script("quality.md", 10, ("benchmarks/quality.py", IMAGES, "--write")),
    Script("quality.md", 10, ("benchmarks/worth.py", IMAGES, "--write")),
    Script("recipe.md", 10, ("benchmarks/schedule.py", "IMAGES/kodim0[1-8].png", "--write")),
    Script("meta.md", 20, ("benchmarks/start.py", IMAGES, "--write")),
    Script("seams.md", 5, ("benchmarks/seams.py", "IMAGES/kodim0[1-6].png", "--write")),
    Script("tiles.md", 5, ("benchmarks/tiles.py", "IMAGES/kodim*.png", "--write")),
)
"""Tables with seconds in them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("photograph", type=Path, nargs="?", metavar=PHOTOGRAPH)
    parser.add_argument("images", type=Path, nargs="?", metavar=IMAGES)
    parser.add_argument("--timings", action="store_true", help="the benchmarks too")
    parser.add_argument("--dry-run", action="store_true", help="say what would be run, and for how long")
    options = parser.parse_args()
    found = {PHOTOGRAPH: options.photograph, IMAGES: options.images}
    given = {name: path.resolve() for name, path in found.items() if path is not None}
    scripts = (*EXPERIMENTS, *TIMINGS) if options.timings else EXPERIMENTS
    print("minutes  page            command")
    for script in scripts:
        without = "" if script.words(given) else "  (left out: not given)"
        print(f"{script.minutes:7g}  {script.page:14}  {' '.join(script.command)}{without}")
    total = sum(script.minutes for script in scripts if script.words(given))
    print(f"{total:7g}  in all, about", flush=True)
    if options.dry_run:
        return
    failed = []
    for script in scripts:
        words = script.words(given)
        if words is None:
            continue
        print("\n==", *words, flush=True)
        path, *rest = words
        if subprocess.run([sys.executable, ROOT / path, *rest], check=False).returncode:
            failed.append(" ".join(words))
    if failed:
        raise SystemExit(f"{len(failed)} of the commands failed: {'; '.join(failed)}")


if __name__ == "__main__":
    main()
