"""What every benchmark shares: the machine it ran on, and the table it leaves in the README or the manual."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
PERFORMANCE = README.parent / "docs" / "performance.md"
HYPOTHESIS = README.parent / "docs" / "hypothesis.md"


def machine() -> str:
    """The processor, the number of cores and the versions that the figures belong to."""
    import torch

    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        match = re.search(r"model name\s*: (.*)", cpuinfo.read_text())
        model = match.group(1) if match else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {cores} cores, Python {platform.python_version()}, torch {torch.__version__}"


def markdown(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def publish(name: str, text: str, write: bool, page: Path = README) -> None:
    """Print a result; with `write`, also put it into a page between the marks of that name."""
    print(text)
    if not write:
        return
    content = page.read_text()
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(content):
        raise SystemExit(f"{page.name} has no place for {name}: add <!-- {name} --> and <!-- /{name} -->")
    page.write_text(pattern.sub(lambda m: f"{m[1]}{text}\n{m[2]}", content))
