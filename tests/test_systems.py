"""What other systems do, as far as this one can pretend to be them."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import io
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import partinr.cli.files
import partinr.cli.streams
import partinr.files
from partinr.cli.files import check_outputs
from partinr.cli.streams import Output
from partinr.errors import InputError
from partinr.files import atomic_write, reserved
from partinr.model import memory
from partinr.signals.volumes import located

Pretend = Callable[[ModuleType, str], None]


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """Have a module see another system."""
    return lambda module, system: monkeypatch.setattr(module, "sys", SimpleNamespace(platform=system))


@pytest.mark.parametrize(
    "name", ["nul", "NUL.inr", "con.tar.gz", "Com1.png", "LPT\u00b2", "CONOUT$", "nul:", "aux .inr"]
)
def test_devices_of_windows_are_no_names(name: str) -> None:
    assert "device" in (reserved(name) or "")


@pytest.mark.parametrize("name", ["a:b.inr", "a?.inr", "a|b", "a\nb", "photo.", "photo "])
def test_names_that_windows_reads_otherwise(name: str) -> None:
    assert reserved(name) is not None


@pytest.mark.parametrize(
    "name", ["photo.inr", "null.inr", "com.inr", "com0", "COM10.png", "\u00e9.inr", ".", ".."]
)
def test_names_that_windows_has(name: str) -> None:
    assert reserved(name) is None


def test_reserved_names_are_refused_on_windows_alone(tmp_path: Path, pretend: Pretend) -> None:
    with atomic_write(tmp_path / "a:b.inr"):
        pass
    pretend(partinr.files, "win32")
    with (
        pytest.raises(InputError, match="no names with ':'; choose another"),
        atomic_write(tmp_path / "c:d.inr"),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["a:b.inr"]


@pytest.mark.parametrize("refusals", [2, 1_000_000])
def test_files_that_another_program_has_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pretend: Pretend, refusals: int
) -> None:
    path, left = tmp_path / "out", [refusals]
    path.write_bytes(b"old")
    replace = Path.replace

    def busy(self: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] >= 0:
            raise PermissionError(errno.EACCES, "in use", str(self))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", busy)
    monkeypatch.setattr(partinr.files, "_PATIENCE", 0.1)
    pretend(partinr.files, "win32")
    if refusals == 2:
        with atomic_write(path) as file:
            file.write(b"new")
    else:
        with pytest.raises(InputError, match="out: another program has it open"), atomic_write(path) as file:
            file.write(b"new")
    assert path.read_bytes() == (b"new" if refusals == 2 else b"old")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("known", [True, False])
def test_macos_is_asked_to_empty_the_disks_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pretend: Pretend, known: bool
) -> None:
    asked, synced = [], []

    def control(_: int, command: int) -> None:
        asked.append(command)
        if not known:
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", control)
    monkeypatch.setattr(os, "fsync", synced.append)
    pretend(partinr.files, "darwin")
    with atomic_write(tmp_path / "out"):
        pass
    assert asked == [51, 51]  # the file, and the folder that it was renamed in
    assert len(synced) == (0 if known else 2)


def test_outputs_that_differ_in_capitals_alone(tmp_path: Path, pretend: Pretend) -> None:
    outputs = {"-o": tmp_path / "a.png", "--report": tmp_path / "A.png"}
    check_outputs(outputs, [])
    pretend(partinr.cli.files, "darwin")
    with pytest.raises(InputError, match="--report and -o name the same file"):
        check_outputs(outputs, [])


@pytest.mark.parametrize(("system", "kept"), [("win32", False), ("linux", True)])
def test_a_reader_that_has_gone(tmp_path: Path, pretend: Pretend, system: str, kept: bool) -> None:
    class Broken(io.FileIO):
        def write(self, _: object) -> int:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    pretend(partinr.cli.streams, system)
    with Broken(tmp_path / "out", "w") as raw:
        output = Output(io.TextIOWrapper(io.BufferedWriter(raw), "utf-8"))
        output.stream.write("text\n")
        output.stream.flush()
    assert (output.failure is not None) == kept


def test_a_full_pipe_is_tried_again_on_windows(
    tmp_path: Path, pretend: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.FileIO):
        times = 0

        def write(self, data: bytes) -> int | None:  # type: ignore[override]
            self.times += 1
            return None if self.times < 3 else super().write(data)

    pretend(partinr.cli.streams, "win32")
    monkeypatch.setattr("select.select", lambda *_: pytest.fail("only sockets can be selected"))
    with Full(tmp_path / "out", "w") as raw:
        output = Output(io.TextIOWrapper(io.BufferedWriter(raw), "utf-8"))
        output.stream.write("text\n")
        output.stream.flush()
    assert (tmp_path / "out").read_bytes() == b"text\n"


def test_memory_that_windows_says_is_free(monkeypatch: pytest.MonkeyPatch, pretend: Pretend) -> None:
    def status(reference: object) -> int:
        numbers = reference._obj  # type: ignore[attr-defined]
        assert numbers[0] == ctypes.sizeof(numbers) == 64
        numbers[2] = 12_345
        return 1

    kernel32 = SimpleNamespace(GlobalMemoryStatusEx=status)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel32), raising=False)
    pretend(memory, "win32")
    assert memory.free_memory() == 12_345


def test_arrays_in_files_by_paths_of_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.h5"
    file.touch()
    monkeypatch.setattr(located, "os", SimpleNamespace(sep="\\"))
    assert located.located(Path(f"{file}:\\group\\array")) == (file, "group/array")
