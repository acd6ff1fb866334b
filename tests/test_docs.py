"""The documentation is true: its programs run, its commands exist, its tables and names are complete."""

from __future__ import annotations

import ast
import doctest
import inspect
import re
import shlex
import shutil
import sys
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
import skimage.data
import typer
from PIL import Image

import partinr
from cli_helpers import run
from commands import commands_page, leaves
from partinr.cli.commands import app
from partinr.signals import FORMATS
from partinr.studies.demo_sound import melody
from partinr.studies.demo_video import film
from test_structure import MODULES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
COMMANDS_PAGE = DOCS / "commands.md"  # made when the manual is built
PAGES = sorted([*DOCS.glob("*.md"), COMMANDS_PAGE, ROOT / "README.md"])

# Parsed and not run: they take long, or need what a test machine may lack.
NOT_RUN = (
    "demo",
    "hypothesis",
    "--preset paper",
    "--seeds",
    "--device",
    "--install-completion",
    "slide.svs",
    "serve",
    "rivals",
)
# Of a fit: what asks for training.
TRAINED = {
    *("--preset", "--partition", "--network", "--hidden", "--layers", "--omega-0", "--params", "--frame"),
    *("--no-blend", "--overlap", "--init", "--max-params", "--steps", "--time", "--checkpoint", "--batch"),
    *("--lr", "--precision"),
}
DOCTEST_FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


class Block(NamedTuple):
    """A fenced block of a page."""

    page: Path
    line: int  # of its first line of text, counted from 1
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.name}:{self.line}"


@cache
def text_of(page: Path) -> str:
    """The Markdown of a page."""
    return commands_page() if page == COMMANDS_PAGE else page.read_text("utf-8")


def blocks(page: Path, *languages: str) -> list[Block]:
    """The fenced blocks of a page in some languages."""
    found: list[Block] = []
    language, start, held = None, 0, list[str]()
    for number, line in enumerate(text_of(page).splitlines(), 1):
        fence = re.fullmatch(r"```(\w*)", line)
        if fence and language is None:
            language, start, held = fence[1], number + 1, []
        elif fence:
            if language in languages:
                found.append(Block(page, start, language, "\n".join([*held, ""])))
            language = None
        else:
            held.append(line)
    assert language is None, f"{page.name}: a block is not closed"
    return found


def with_blocks(*languages: str) -> Any:
    """Every page that has such blocks."""
    pages = [page for page in PAGES if blocks(page, *languages)]
    return pytest.mark.parametrize("page", pages, ids=lambda page: page.stem)


def folder_for(tmp_path: Path, rows: int, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder that the manual's programs and commands work in, with the files that they start from."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(skimage.data.astronaut()[:rows, :columns]).save("photo.png")
    Path("photos").mkdir()
    for i in range(3):
        Image.fromarray(skimage.data.astronaut()[40 * i :][:40, 100:140]).save(f"photos/{i}.png")
    np.save("volume.npy", np.random.default_rng(0).random((6, 20, 24), dtype=np.float32))
    places = np.random.default_rng(0).random((80, 2))
    rows = (f"{lat},{lon},{lat + lon}\n" for lat, lon in places.tolist())
    Path("stations.csv").write_text("lat,lon,t\n" + "".join(rows))
    sound = melody(0.2)
    partinr.write("melody.wav", sound.values, sound.spec)


def films_for(page: Path) -> None:
    """The video that a page starts from, and its fit; both are small."""
    if "film.inr" in text_of(page):
        video = film(0.52)
        partinr.write("film.mp4", video.values[:, ::4, ::4], video.spec.resampled((13, 36, 64)))
        run("fit", "film.mp4", "--psnr", 30)


def scans_for(page: Path) -> None:
    """The scans that a page starts from, small ones."""
    if "brain.nii.gz" not in text_of(page):
        return
    import nibabel
    import xarray
    from pydicom.data import get_testdata_file

    values = np.random.default_rng(0).integers(0, 999, (6, 7, 5, 13)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values[..., 0], np.eye(4)), "brain.nii.gz")
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), "run.nii.gz")
    Path("series").mkdir()
    shutil.copy(str(get_testdata_file("MR_small.dcm")), "series")
    variable = xarray.DataArray(values[..., 0], dims=("time", "latitude", "longitude"), name="t2m")
    variable.to_netcdf("climate.nc", engine="h5netcdf")


class TestPython:
    """Blocks of Python, those of a page together as one program."""

    @with_blocks("python", "pycon")
    def test_runs(
        self, page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder_for(tmp_path, 48, 64, monkeypatch)
        module = ModuleType(f"page_{page.stem}")  # a real one: dataclasses look up the module of their class
        monkeypatch.setitem(sys.modules, module.__name__, module)
        for block in blocks(page, "python", "pycon"):
            if block.language == "python":
                # Lines are counted as in the page, so that a traceback points there.
                source = "\n" * (block.line - 1) + block.text
                exec(compile(source, str(page), "exec", dont_inherit=True), module.__dict__)
            else:
                with capsys.disabled():
                    run_doctest(block.text, module.__dict__, block.place)

    def test_modules_with_examples_are_found(self) -> None:
        assert sum(">>>" in docstring for _, _, docstring in docstrings()) > 20

    @pytest.mark.parametrize("name", MODULES)
    def test_examples_in_docstrings(
        self,
        name: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.chdir(tmp_path)
        for module, owner, docstring in docstrings():
            if module == name and ">>>" in docstring:
                namespace = vars(import_module(module)).copy()
                with capsys.disabled():
                    run_doctest(docstring, namespace, f"{module}.{owner}")


def run_doctest(text: str, namespace: dict[str, Any], place: str) -> None:
    """Run the examples in a text and compare what they print with what stands there."""
    test = doctest.DocTestParser().get_doctest(text, {}, place, place, 0)
    test.globs = namespace
    report: list[str] = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=DOCTEST_FLAGS)
    ran = runner.run(test, out=report.append, clear_globs=False)
    assert ran.attempted, f"{place} has no examples"
    assert not ran.failed, "".join(report)


@cache
def docstrings() -> list[tuple[str, str, str]]:
    """Module, owner and text of every docstring in the sources; those of attributes too."""
    found = []
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                continue
            found.append((name, getattr(node, "name", ""), ast.get_docstring(node) or ""))
            for before, after in pairwise(node.body):
                if isinstance(before, ast.Assign | ast.AnnAssign) and isinstance(after, ast.Expr):
                    target = before.targets[0] if isinstance(before, ast.Assign) else before.target
                    if isinstance(after.value, ast.Constant) and isinstance(after.value.value, str):
                        found.append((name, ast.unparse(target), inspect.cleandoc(after.value.value)))
    return found


class Command(NamedTuple):
    """A command line in a page, and what the page says that it prints."""

    place: str
    words: list[str]
    output: str


def command_lines(page: Path) -> list[Command]:
    """Every command line of a page, of partinr or of something else."""
    found = []
    for block in blocks(page, "console", "bash"):
        lines = block.text.replace("\\\n", " ").splitlines()
        for number, line in enumerate(lines):
            if block.language == "console":
                if not line.startswith("$ "):
                    continue
                after = [i for i, later in enumerate(lines) if i > number and later.startswith("$ ")]
                output = "\n".join(lines[number + 1 : after[0] if after else None])
            else:
                output = ""
            place = f"{page.name}:{block.line + number}"
            for part in line.removeprefix("$ ").split("&&"):
                if words := shlex.split(part, comments=True):
                    found.append(Command(place, words, output))
    return found


def partinr_lines(page: Path) -> list[Command]:
    """The command lines of a page that call partinr, without its name."""
    lines = [line for line in command_lines(page) if Path(line.words[0]).name == "partinr"]
    return [line._replace(words=line.words[1:]) for line in lines]


def parse(words: list[str]) -> object:
    """Let the command line parse, and run nothing. Returns its exit code."""
    program: Any = typer.main.get_command(app)
    for _, command in leaves(program):
        command.callback = lambda **_: None
    with pytest.raises(SystemExit) as ended:
        program.main(list(words))
    return ended.value.code


def runs(words: list[str]) -> bool:
    """Whether a command line is run, rather than parsed alone."""
    grows = "--psnr" in words and bool(TRAINED & set(words))
    return not grows and not any(f" {skipped} " in f" {shlex.join(words)} " for skipped in NOT_RUN)


def in_short(words: list[str]) -> list[str]:
    """The same command line, with training of two steps, or a small start."""
    if words[:2] == ["meta", "train"]:
        return [*words, *shlex.split("--workers 0 --steps 1 --size 24x24 --hidden 8 --layers 1")]
    if words[:2] == ["meta", "eval"]:
        return [*words, "--workers", "0"]
    if words[0] != "compare" and (words[0] != "fit" or not TRAINED & set(words)):
        return words
    if "--steps" in words:
        at = words.index("--steps")
        words = words[:at] + words[at + 2 :]
    return [*words, "--steps", "2"]


def shape_of(output: str) -> list[str]:
    """Lines of output, in which numbers, and the engine, precision and codecs that a machine has, do not
    count."""
    plain = re.sub(r"\d[\d,]*(\.\d+)?(e-?\d+)?", "#", output)
    plain = re.sub(r"\b(cpu|torch)$", "ENGINE", plain, flags=re.MULTILINE)
    plain = re.sub(r"engine (cpu|torch)", "engine ENGINE", plain)
    plain = re.sub(r"precision (fp|bf)", "precision ", plain)
    plain = re.sub(r"^(JPEG|WebP|AVIF) .*$", r"\1", plain, flags=re.MULTILINE)
    return [" ".join(line.split()) for line in plain.splitlines() if line.strip()]


class TestCommands:
    """Blocks of command lines."""

    @with_blocks("console", "bash")
    def test_parses(self, page: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for line in partinr_lines(page):
            code = parse(line.words)
            assert code == 0, f"{line.place}: {capsys.readouterr().err}"

    def test_nonsense_does_not_parse(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert parse(["fit", "photo.png", "--nonsense"]) == 2
        assert parse(["fit", "photo.png", "--steps", "many"]) == 2
        assert parse(["fit", "photo.png", "--store", "float64"]) == 2
        assert "--nonsense" in capsys.readouterr().err

    @with_blocks("console", "bash")
    def test_runs(self, page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """All in one folder, one after another, as a reader would."""
        folder_for(tmp_path, 190, 300, monkeypatch)
        scans_for(page)
        films_for(page)
        for line in partinr_lines(page):
            if not runs(line.words):
                continue
            if "photo.inr" in line.words and not Path("photo.inr").exists():
                # A page that speaks of the file that the quick start makes.
                run("fit", "photo.png", "--steps", 1)
            ran = run(*in_short(line.words))
            assert ran.code == 0, f"{line.place}: {ran.err}"
            if line.output.strip():
                assert shape_of(ran.out) == shape_of(line.output), line.place

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
    def test_scripts_exist(self, page: Path) -> None:
        scripts = [
            word for line in command_lines(page) for word in line.words if re.fullmatch(r"\w+/.*\.py", word)
        ]
        scripts += re.findall(r"`python (\S+\.py)", text_of(page))
        for script in scripts:
            assert (ROOT / script).exists(), f"{page.name} speaks of {script}"


class TestCommandReference:
    """`docs/commands.md`."""

    def test_has_every_option_that_help_has(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "300")
        page = text_of(COMMANDS_PAGE)
        for name, _ in leaves(typer.main.get_command(app)):
            text = run(*name.split(), "--help").out
            section = page.split(f"## partinr {name}\n")[1].split("\n## ")[0]
            offered = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", text)) - {"--help"}
            for option in offered:
                assert option in section, f"{name} {option}"


class TestPages:
    """What must be complete."""

    def test_every_page_is_in_the_navigation(self) -> None:
        navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
        listed = re.findall(r": (\w+\.md)$", navigation, flags=re.MULTILINE)
        assert sorted(listed) == [page.name for page in PAGES if page.parent == DOCS]

    def test_the_reference_has_every_public_name_once(self) -> None:
        page = (DOCS / "reference.md").read_text(encoding="utf-8")
        listed = re.findall(r"^::: partinr\.(\w+)$", page, flags=re.MULTILINE)
        assert sorted(listed) == sorted(set(partinr.__all__) - {"__version__"})
        assert "partinr.__version__" in page

    def test_every_output_format_is_listed(self) -> None:
        page = (DOCS / "signals.md").read_text(encoding="utf-8")
        for format_ in FORMATS:
            suffixes = ", ".join(f"`{suffix}`" for suffix in format_.suffixes)
            assert f"| {suffixes} | {format_.limits} |" in page

    def test_the_versions_agree(self) -> None:
        cited = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
        assert f"\nversion: {partinr.__version__}\n" in cited
        assert f"\n## [{partinr.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
    def test_links_lead_to_files_and_headings(self, page: Path) -> None:
        text = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
        for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
            file, _, heading = target.partition("#")
            where = page.parent / file if file else page
            assert where in PAGES or where.exists(), target
            if heading and not heading.startswith("partinr."):
                assert heading in headings(where), target


def headings(page: Path) -> set[str]:
    """Names of a page's headings, as Python-Markdown and GitHub make them."""
    found = set()
    text = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
    for line in re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE):
        given = re.search(r"\{ #(\S+) \}", line)
        plain = re.sub(r"[^\w\s-]", "", line).strip().lower()
        found.add(given[1] if given else re.sub(r"[\s-]+", "-", plain))
    return found


# Made by the library, not by its users, or abstract: their examples are those of the functions.
WITHOUT_EXAMPLE = {
    *("Adam", "DivergedError", "FitResult", "History", "InputError", "Network", "Progress", "Rule"),
    *("Saved", "Signal", "SignalSpec"),
    *("Evaluation", "Interval", "LearnResult", "MetaProgress", "Score"),
}


def public() -> list[tuple[str, Any]]:
    return [(name, getattr(partinr, name)) for name in partinr.__all__ if name != "__version__"]


class TestDocstrings:
    """Of the public names."""

    @pytest.mark.parametrize("name", sorted(set(partinr.__all__) - {"__version__"}))
    def test_exists(self, name: str) -> None:
        # By the sources: an instance, or an alias of a type, has the docstring of something else.
        owned = [text for module, owner, text in docstrings() if name in (owner, module.split(".", 1)[-1])]
        assert any(owned), f"{name} has no docstring"

    @pytest.mark.parametrize(
        ("name", "thing"),
        [(n, t) for n, t in public() if inspect.isclass(t) or inspect.isfunction(t)],
    )
    def test_has_an_example(self, name: str, thing: Any) -> None:
        if name not in WITHOUT_EXAMPLE:
            assert ">>> " in str(thing.__doc__)

    @pytest.mark.parametrize("thing", [t for _, t in public() if inspect.isfunction(t)])
    def test_functions_describe_every_argument(self, thing: Any) -> None:
        assert section(thing.__doc__, "Args") == list(inspect.signature(thing).parameters)

    @pytest.mark.parametrize(("name", "thing"), [(n, t) for n, t in public() if inspect.isclass(t)])
    def test_methods_are_documented(self, name: str, thing: Any) -> None:
        for attribute, value in vars(thing).items():
            function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
            if attribute.startswith("_") or not inspect.isfunction(inspect.unwrap(function)):
                continue
            assert function.__doc__, f"{name}.{attribute}"
            described = section(function.__doc__, "Args")
            if described:
                given = [p for p in inspect.signature(function).parameters if p not in ("self", "cls")]
                assert described == given, f"{name}.{attribute}"

    @pytest.mark.parametrize("thing", [t for _, t in public() if inspect.isclass(t)])
    def test_attributes_that_are_described_exist(self, thing: Any) -> None:
        described = {one for names in section(thing.__doc__, "Attributes") for one in names.split(", ")}
        fields = {field for kind in thing.__mro__ for field in getattr(kind, "__annotations__", {})}
        assert described <= fields


def section(docstring: str | None, heading: str) -> list[str]:
    """The names that a section of a docstring describes."""
    text = inspect.cleandoc(docstring or "")
    found = re.search(rf"^{heading}:\n((?:    .*\n?|\n)*)", text, flags=re.MULTILINE)
    return re.findall(r"^    (\w[\w, ]*?):", found[1], flags=re.MULTILINE) if found else []
