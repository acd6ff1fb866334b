"""Imports point downward, slow libraries wait until they are used, public names are what they seem."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest

import partinr

SOURCE = Path(partinr.__file__).parent
CODE_PAGE = Path(__file__).parents[1] / "docs" / "code.md"

ROOMS = [
    "__main__",
    "cli",
    "notebook",
    "plot",
    "studies",
    "report",
    "serve",
    "meta",
    "tiles",
    "fitting",
    "file",
    "engines",
    "model",
    "signals",
    "hashing",
    "files",
    "text",
    "display",
    "processes",
    "errors",
    "cores",
    "shapes",
]
"""From the top. A file imports from rooms below its own and from its own room."""

# They alone may import the package as a whole, as its users do.
USERS = ("cli", "report", "studies", "tiles", "__main__")
# Imported by the functions that use them: slow to import, and not needed by most of what partinr is used for.
SLOW = {
    "scipy",
    "skimage",
    "cv2",
    "matplotlib",
    "tifffile",
    "imagecodecs",
    "PIL",
    "onnx",
    "onnxruntime",
    "lmdb",
    "soundfile",
    "rich",
    "jaxtyping",
    "nibabel",
    "pydicom",
    "nrrd",
    "h5py",
    "h5netcdf",
    "zarr",
    "xarray",
    "fsspec",
    "pyvips",
    "dask",
    "distributed",
    "starlette",
    "uvicorn",
}
# What reads signals and splits them works without torch, and the command line parses without NumPy.
WITHOUT_TORCH = ("cli", "signals", "hashing", "files", "text", "errors", "cores", "shapes")


class Import(NamedTuple):
    """One imported module."""

    importer: str
    imported: str
    line: int
    at_import: bool  # when the importing file is imported, not when a function is called or types are checked

    def __str__(self) -> str:
        return f"{self.importer} line {self.line} imports {self.imported}"


def modules() -> dict[str, Path]:
    """Every source file by its module's name."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = [SOURCE.name, *path.relative_to(SOURCE).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports_of(name: str) -> Iterator[Import]:
    """Everything that a module imports, anywhere in it."""

    def visit(node: ast.AST, at_import: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(name, alias.name, node.lineno, at_import)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} line {node.lineno}: write imports in full"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                known = inner in MODULES or inner == "partinr._native"
                yield Import(name, inner if known else str(node.module), node.lineno, at_import)
        typing_only = isinstance(node, ast.If) and ast.unparse(node.test).startswith("TYPE_CHECKING")
        later = typing_only or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, at_import and not later)

    yield from visit(ast.parse(MODULES[name].read_text(encoding="utf-8")), True)


IMPORTS = [one for name in MODULES for one in imports_of(name)]


def part(module: str) -> str:
    """The file or package right below `partinr` that a module belongs to."""
    return module.split(".")[1] if "." in module else ""


def level(module: str) -> int:
    """Room, counted from the top."""
    return ROOMS.index(part(module))


def table() -> str:
    """The rooms, and the folders in them, as docs/code.md shows them: each with the first line of its own."""
    lines = ["| room | what is in it |", "| --- | --- |"]
    for room in ROOMS:
        for path in (SOURCE / room, *sorted((SOURCE / room).glob("*/"))):
            name = ".".join(path.relative_to(SOURCE.parent).parts)
            if name in MODULES:
                shown = path.relative_to(SOURCE).as_posix() + ("/" if path.is_dir() else ".py")
                described = str(ast.get_docstring(ast.parse(MODULES[name].read_text(encoding="utf-8"))))
                lines.append(f"| `{shown}` | {described.splitlines()[0]} |")
    return "\n".join(lines)


def test_every_file_is_in_a_room() -> None:
    assert sorted(ROOMS) == sorted({part(module) for module in MODULES} - {""})


def test_the_manual_shows_the_rooms() -> None:
    shown = CODE_PAGE.read_text(encoding="utf-8").split("<!-- rooms -->\n")[1].split("\n<!-- /rooms -->")[0]
    assert shown == table(), f"docs/code.md should have this table:\n{table()}"


def test_imports_point_downward() -> None:
    wrong = [
        str(one)
        for one in IMPORTS
        if part(one.importer)
        and one.imported.startswith("partinr.")
        and one.imported != "partinr._native"
        and part(one.imported) != part(one.importer)
        and level(one.imported) <= level(one.importer)
    ]
    assert wrong == []


def test_only_its_users_import_the_whole_package() -> None:
    wrong = [str(one) for one in IMPORTS if one.imported == "partinr" and part(one.importer) not in USERS]
    assert wrong == []


def test_no_imports_go_round_in_circles() -> None:
    graph: dict[str, set[str]] = {name: set() for name in MODULES}
    for one in IMPORTS:
        if one.imported in MODULES and one.imported != "partinr":
            graph[one.importer].add(one.imported)
    graph.pop("partinr")  # which imports its names when they are used
    # Two faces of one function, each the way to the other; torch waits until its one is asked for.
    graph["partinr.model.piecewise"].discard("partinr.model.module")
    list(graphlib.TopologicalSorter(graph).static_order())


def test_slow_libraries_are_imported_where_they_are_used() -> None:
    wrong = [str(one) for one in IMPORTS if one.at_import and one.imported.split(".")[0] in SLOW]
    assert wrong == []


def test_torch_and_numpy_are_imported_by_what_is_about_them() -> None:
    for one in IMPORTS:
        library, user = one.imported.split(".")[0], part(one.importer)
        if one.at_import:
            assert library != "torch" or user not in (*WITHOUT_TORCH, ""), str(one)
            assert library != "numpy" or user not in ("cli", ""), str(one)


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("partinr", {"numpy", "torch", *SLOW}),
        ("partinr.cli.commands", {"numpy", "torch", *SLOW}),
        ("partinr.signals", {"torch", *SLOW}),
        ("partinr.model.partition", {"torch", *SLOW}),
        ("partinr.fitting.fit", SLOW),
    ],
)
def test_what_is_there_after_an_import(module: str, absent: set[str]) -> None:
    program = f"import sys, {module}; print(*sorted({absent!r} & set(sys.modules)))"
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(SOURCE.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == []


def test_public_names_are_where_the_stub_says() -> None:
    tree = ast.parse((SOURCE / "__init__.pyi").read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    named = [(node.module, name) for node in imports for name in node.names]
    assert sorted(name.name for _, name in named) == sorted(partinr.__all__)
    for module, name in named:
        assert name.name == name.asname  # which is what marks a name as exported
        if module is None:  # a module of the package
            assert getattr(partinr, name.name) is import_module(f"partinr.{name.name}")
            continue
        assert getattr(partinr, name.name) is getattr(import_module(f"partinr.{module}"), name.name)
        assert name.name in dir(partinr)
    with pytest.raises(AttributeError, match="nonsense"):
        partinr.nonsense  # noqa: B018
