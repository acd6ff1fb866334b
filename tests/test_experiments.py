"""One command runs every script that writes into the manual, and every place for a result has one."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
PAGES = (*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md")


@pytest.fixture
def every(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """experiments/all.py."""
    monkeypatch.syspath_prepend(str(ROOT / "experiments"))
    monkeypatch.delitem(sys.modules, "all", raising=False)
    return import_module("all")


def test_every_script_that_writes_is_run(every: ModuleType) -> None:
    experiments = {
        f"experiments/{path.name}"
        for path in (ROOT / "experiments").glob("*.py")
        if re.search(r"^ +publish\(", path.read_text(), re.MULTILINE)
    }
    assert experiments == {script.command[0] for script in every.EXPERIMENTS}
    for script in every.TIMINGS:
        path, *words = script.command
        assert ("--write" in words) == ('"--write"' in (ROOT / path).read_text()), path


def test_scripts_write_into_the_pages_that_they_name(every: ModuleType) -> None:
    for script in (*every.EXPERIMENTS, *every.TIMINGS):
        page = ROOT / (script.page if script.page == "README.md" else f"docs/{script.page}")
        assert "<!--" in page.read_text(), script
        assert script.minutes > 0


def test_what_was_not_given_leaves_a_script_out(every: ModuleType, tmp_path: Path) -> None:
    script = every.Script("seams.md", 1, ("x.py", "IMAGES/a*.png", "IMAGES", "--write"))
    assert script.words({}) is None
    assert script.words({"PHOTOGRAPH": tmp_path}) is None
    assert script.words({"IMAGES": tmp_path}) is None
    for name in ("a2.png", "a1.png", "b.png"):
        (tmp_path / name).touch()
    files = [str(tmp_path / name) for name in ("a1.png", "a2.png")]
    assert script.words({"IMAGES": tmp_path}) == ["x.py", *files, str(tmp_path), "--write"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_places_for_results_are_closed(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    names = re.findall(r"^<!-- ([a-z0-9_][\w. -]*) -->$", text, re.MULTILINE | re.IGNORECASE)
    names = [name for name in names if not name.startswith("Written")]
    assert len(set(names)) == len(names)
    for name in names:
        marks = rf"<!-- {re.escape(name)} -->\n.*?<!-- /{re.escape(name)} -->"
        assert len(re.findall(marks, text, re.DOTALL)) == 1, name
    assert len(re.findall(r"^<!-- /", text, re.MULTILINE)) == len(names)
