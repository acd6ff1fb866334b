"""The script of a page: plain modules, one after another, without what a file's kind never reaches.

No bundler: imports and exports go away, comments, and spaces that mean nothing. Names at the top of modules
differ in all of them (`tests/report/view/test_script.py`), and become short ones.
"""

from __future__ import annotations

import graphlib
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from string import ascii_letters, digits
from types import MappingProxyType

MAIN = "main"
_IMPORT = re.compile(r'^import [^;]*? from "\./(\w+)\.mjs";\n', re.MULTILINE)
TOP = re.compile(r"^(?:export )?(?:async )?(?:const|let|class|function\*?) (\w+)\b(?! \w+\[)", re.MULTILINE)
_ARRAYS = ("Float32Array", "Float64Array", "Int32Array", "Uint8Array", "Uint16Array", "Uint32Array")
# The parts that a script is made of; a template goes on until its expressions begin.
_PART = re.compile(
    r"""
    (?P<space>(?:\s|//[^\n]*|/\*.*?\*/)+)
    | (?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    | (?P<template>`)
    | (?P<word>[\w$.]+)
    | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_NAME = re.compile(r"((?:\.\.\.)?)([A-Za-z_$][\w$]*)(.*)")
_NOUGHT = re.compile(r"\b0(?=\.\d)")
_TEMPLATE = re.compile(r"(?:\\.|\$(?!\{)|[^`\\$])*", re.DOTALL)


@cache
def source(name: str) -> str:
    """A module as it was written."""
    return (files("partinr.report.view") / "script" / f"{name}.mjs").read_text(encoding="utf-8")


def imported(name: str) -> set[str]:
    """The modules that one imports."""
    return set(_IMPORT.findall(source(name)))


def modules(without: frozenset[str] = frozenset()) -> list[str]:
    """All modules that the page's main one reaches, each after those that it imports.

    Args:
        without: modules that are left out, with those that they alone reach.
    """
    graph: dict[str, set[str]] = {}
    waiting = [MAIN]
    while waiting:
        name = waiting.pop()
        if name not in graph:
            graph[name] = imported(name) - without
            waiting += graph[name]
    return list(
        graphlib.TopologicalSorter({name: sorted(graph[name]) for name in sorted(graph)}).static_order()
    )


@cache
def script(without: frozenset[str] = frozenset()) -> str:
    """The whole script; see `modules`."""
    bodies = [small(_alone(name), _short_names()) for name in modules(without)]
    whole = "".join(bodies)
    # Functions of `Math` without its name, which is a fiftieth of all letters.
    used = sorted(set(re.findall(r"\bMath\.(\w+)", whole)))
    arrays = ",".join(f"{_short_names()[name]}={name}" for name in _ARRAYS)
    before = f'"use strict";(()=>{{const{{{",".join(used)}}}=Math,{arrays};'
    return before + whole.replace("Math.", "") + "})();\n"


def _alone(name: str) -> str:
    """A module as it stands among others."""
    return _IMPORT.sub("", source(name)).replace("\nexport ", "\n")


@cache
def _short_names() -> dict[str, str]:
    """Short names for those at the top of modules that are no properties, too, and some of the language's."""
    names = [name for module in modules() for name in TOP.findall(source(module)) if len(name) > 2]
    names += _ARRAYS
    whole = "\n".join(small(_alone(module)) for module in modules())
    taken = set(re.findall(r"[\w$]+", whole))
    properties = set(re.findall(r"(?<=(?<!\.)\.)\w+|\w+(?=:)", whole))
    free = (a + b for a in ascii_letters for b in ascii_letters + digits if a + b not in taken)
    short = {name: next(free) for name in sorted(names) if name not in properties}
    return {"true": "!0", "false": "!1"} | short


def small(text: str, names: Mapping[str, str] = MappingProxyType({})) -> str:
    """The same script without comments, indentation and spaces that mean nothing.

    Args:
        text: of a module.
        names: what names are to become.
    """
    found: list[str] = []
    # Of each template that is not over, how many braces are open in its expression.
    depths: list[int] = []
    at = 0

    def template(at: int) -> int:
        match = _TEMPLATE.match(text, at)
        assert match is not None
        # Glued to what begins it, so that a space in it is never taken for one between parts.
        found[-1] += _shader(match.group()) if "\n" in match.group() else match.group()
        end = match.end()
        if text[end] == "`":
            found[-1] += "`"
            return end + 1
        found[-1] += "${"
        depths.append(0)
        return end + 2

    while at < len(text):
        match = _PART.match(text, at)
        assert match is not None
        part, at = match.group(), match.end()
        if match.lastgroup == "space":
            found.append("\n" if "\n" in part else " ")
            continue
        if match.lastgroup == "word":
            named = _NAME.match(part)
            part = named[1] + names.get(named[2], named[2]) + named[3] if named else _NOUGHT.sub("", part)
        found.append(part)
        if match.lastgroup == "template":
            at = template(at)
        elif part == "{" and depths:
            depths[-1] += 1
        elif part == "}" and depths:
            depths[-1] -= 1
            if depths[-1] < 0:
                depths.pop()
                at = template(at)
    shorter = re.sub(r"(?<![\w$])\((\w+)\)=>", r"\1=>", "".join(_needed(_joined(found))))
    # Types are over, and so are the fields that classes declare with nothing in them.
    shorter = re.sub(r"(?<=[=,(\[:?!;{])\((\w+)\)(?!=>)", r"\1", shorter)
    return re.sub(r"(?<=[;{])(?:(?!return|break|continue)[a-z]+;)+", "", shorter)


def _joined(parts: list[str]) -> list[str]:
    """Parts with constants that follow one another declared together."""
    kept: list[str] = []
    # The first word of the statement at hand, in each bracket that is open.
    begun = [""]
    for i, part in enumerate(parts):
        if part in "({[":
            begun.append("")
        elif part in ")}]":
            begun.pop()
            if part == "}" and begun[-1] != "const":
                begun[-1] = ""
        elif part == ";":
            following = next((other for other in parts[i + 1 :] if not other.isspace()), "")
            begun[-1] = "also" if begun[-1] in ("const", "also") and following == "const" else ""
            if begun[-1]:
                kept.append(",")
                continue
        elif part == "const" and begun[-1] == "also":
            begun[-1] = "const"
            continue
        elif not part.isspace():
            begun[-1] = begun[-1] or part
        kept.append(part)
    return kept


def _shader(text: str) -> str:
    """Text in GLSL without comments, and spaces that mean nothing; lines of `#` stay lines."""
    # What is before and after, an expression's value, may be part of a word.
    first, *others = text.split("\n")
    lines = [first, *(line.lstrip() for line in others)]
    shorter = [
        line
        if line.startswith("#")
        else _NOUGHT.sub("", re.sub(r"(\d\.)0\b", r"\1", re.sub(r" ?([-+*/=<>?:,;(){}&|!^]) ?", r"\1", line)))
        for line in lines
        if not line.startswith("//")
    ]
    return re.sub(r"(?<=[;{}])\n(?!#)", "", "\n".join(shorter))


def _needed(parts: list[str]) -> list[str]:
    """Parts without the spaces that separate nothing."""
    kept: list[str] = []
    for i, part in enumerate(parts):
        before, after = (kept[-1][-1] if kept else "\n"), (parts[i + 1][0] if i + 1 < len(parts) else "\n")
        following = "".join(parts[i + 1 : i + 3]).lstrip()[:1]
        if (part == "," and following in (")", "]", "}")) or (part == ";" and following == "}"):
            continue
        if part in (" ", "\n"):
            words = (before.isalnum() or before in "_$") and (after.isalnum() or after in "_$")
            signs = before == after and before in "+-"
            if part == " " and not (words or signs):
                continue
            if part == "\n" and (before in "{,;(\n[})" or after in "}),.:?]&|"):
                continue
        kept.append(part)
    return kept
