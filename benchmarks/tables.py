"""What all benchmarks and experiments share: the machine, tables, and the places for results in documents."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def machine() -> str:
    """The processor, the number of cores and the versions that figures belong to."""
    cpuinfo = Path("/proc/cpuinfo")
    match = re.search(r"model name\s*: (.*)", cpuinfo.read_text()) if cpuinfo.exists() else None
    model = match[1] if match else platform.processor() or platform.machine()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {cores} cores, Python {platform.python_version()}, torch {version('torch')}"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table whose first column names its rows."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def publish(page: str, name: str, text: str, write: bool = True) -> None:
    """Print a result, and put it into a page between its marks `<!-- name -->` and `<!-- /name -->`.

    Args:
        page: of the manual, such as "meta.md", or "README.md". One without the marks stays as it is.
        name: in the marks.
        text: the result.
        write: False: print it only.
    """
    print(f"\n{text}")
    if not write:
        return
    path = (ROOT if page == "README.md" else DOCS) / page
    place = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->)", re.DOTALL)
    changed, found = place.subn(lambda m: f"{m[1]}\n{text}\n\n{m[2]}", path.read_text(encoding="utf-8"))
    if found:
        path.write_text(changed, encoding="utf-8")
    else:
        print(f"{page} has no place for it: <!-- {name} --> and <!-- /{name} -->", file=sys.stderr)
