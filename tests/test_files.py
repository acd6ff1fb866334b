"""A failed write leaves the old file, and nothing else, behind."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

import pytest

from partinr.errors import InputError
from partinr.files import atomic_write, check_folder, check_writable, make_folder, write_together


def test_a_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    with atomic_write(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_can_be_read_and_sought_while_it_is_written(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "out") as file:
        file.write(b"....tail")
        file.seek(0)
        file.write(b"head")
        file.seek(0)
        assert file.read() == b"headtail"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, InputError, SystemExit])
@pytest.mark.parametrize("old", [b"old", None])
def test_any_exception_leaves_everything_as_it_was(
    tmp_path: Path, error: type[BaseException], old: bytes | None
) -> None:
    path = tmp_path / "out"
    if old is not None:
        path.write_bytes(old)

    def interrupted() -> None:
        with atomic_write(path) as file:
            file.write(b"half" * 10_000)
            raise error

    with pytest.raises(error):
        interrupted()
    assert (path.read_bytes() if path.exists() else None) == old
    assert len(list(tmp_path.iterdir())) == (old is not None)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_is_an_oserror_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os if step == "fsync" else Path, step, full)
    with pytest.raises(OSError, match="No space left") as caught, atomic_write(path) as file:
        file.write(b"new")
    assert caught.value.errno == errno.ENOSPC
    assert not isinstance(caught.value, InputError)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a process's files")
@pytest.mark.parametrize("size", [5_000, 1_000_000], ids=["in the buffer", "past the buffer"])
def test_a_write_that_the_system_refuses_leaves_the_old_file(tmp_path: Path, size: int) -> None:
    import resource

    path = tmp_path / "out"
    path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match="too large") as caught, atomic_write(path) as file:
            file.write(bytes(size))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EPERM, errno.ENOENT])
def test_any_failure_names_the_file_that_was_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, code: int
) -> None:
    def fail(*given: object) -> None:
        # A file that is open has no name, renaming tells both names.
        names = (os.fspath(given[0]), None, "elsewhere") if isinstance(given[0], Path) else ()
        raise OSError(code, os.strerror(code), *names)

    monkeypatch.setattr(os if step == "fsync" else Path, step, fail)
    with pytest.raises(OSError, match=os.strerror(code)) as caught, atomic_write(tmp_path / "out"):
        pass
    assert (caught.value.filename, caught.value.filename2) == (str(tmp_path / "out"), None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_files_that_belong_together_are_replaced_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    old, new = ({tmp_path / name: f"{age} {name}".encode() for name in "abc"} for age in ("old", "new"))
    write_together(old)
    before = os.fsync
    left = calls

    def fills(number: int) -> None:
        nonlocal left
        if left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        left -= 1
        before(number)

    monkeypatch.setattr(os, "fsync", fills)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_together(new)
    assert caught.value.filename == str(tmp_path / "abc"[calls])
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == old
    monkeypatch.setattr(os, "fsync", before)
    write_together(new)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == new


def test_a_name_of_the_greatest_length(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    with atomic_write(path) as file:
        file.write(b"x")
    assert path.read_bytes() == b"x"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
def test_permissions_and_links_are_kept(tmp_path: Path) -> None:
    umask = os.umask(0o027)
    try:
        with atomic_write(tmp_path / "fresh"):
            pass
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "fresh").stat().st_mode) == 0o640

    target = tmp_path / "target"
    target.write_bytes(b"old")
    target.chmod(0o604)
    link = tmp_path / "link"
    link.symlink_to(target)
    with atomic_write(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o604


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing/out", "folder .*missing does not exist"),
        ("file/out", "file is not a folder"),
        ("folder", "is a folder"),
        ("n" * 256, "too long"),
        ("nul\0", "null"),
        pytest.param("loop", "link", marks=pytest.mark.skipif(sys.version_info < (3, 10), reason="")),
    ],
)
def test_paths_that_cannot_be_files_are_refused_before_anything_is_written(
    tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    before = sorted(tmp_path.iterdir())
    for attempt in (check_writable, lambda path: atomic_write(path).__enter__()):
        with pytest.raises(InputError, match=message) as caught:
            attempt(tmp_path / name)
        assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "file").read_bytes() == b"old"


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="needs a device file")
def test_devices_are_not_replaced() -> None:
    with pytest.raises(InputError, match="not a regular file"):
        check_writable("/dev/null")


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs names of open files")
def test_open_pipes_are_not_replaced() -> None:
    mine, theirs = os.pipe()
    with os.fdopen(mine), os.fdopen(theirs, "w"), pytest.raises(InputError, match="it is a pipe"):
        check_writable(f"/dev/fd/{theirs}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("file", "a file is in its place"),
        ("file/below/it", "file is a file"),
        ("link", "a file is in its place"),
        ("n" * 256, "too long"),
        ("missing/" + "n" * 256, "too long"),
        ("nul\0", "null"),
        ("loop", "link"),
        ("folder", "out: it is a folder"),
    ],
)
def test_folders_that_cannot_be_made_or_hold_a_file(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder" / "out").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    for attempt in (check_folder, make_folder):
        with pytest.raises(InputError, match=message):
            attempt(tmp_path / name, "out")
    assert sorted(tmp_path.rglob("*")) == before


def test_folders_are_made_only_when_asked_for(tmp_path: Path) -> None:
    wanted = tmp_path / "a" / "b"
    assert check_folder(wanted, "out") == wanted.resolve()
    assert not (tmp_path / "a").exists()
    assert make_folder(wanted, "out") == make_folder(wanted, "out") == wanted.resolve()
    assert wanted.is_dir()


def test_write_protected_files_and_folders_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    # Also where the tests run as root, whom no permission stops.
    access = os.access
    for protected, message in ((path, "write-protected"), (tmp_path, "folder .* is not writable")):
        monkeypatch.setattr(os, "access", lambda p, mode, no=protected: p != no and access(p, mode))
        with pytest.raises(InputError, match=message), atomic_write(path):
            pass
    assert path.read_bytes() == b"old"


def test_a_folder_that_refuses_only_when_it_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(code: int) -> None:
        def attempt(*_: object, **__: object) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(Path, "open", attempt)

    for code in (errno.EACCES, errno.EROFS):
        refuse(code)
        with pytest.raises(InputError, match="not writable"), atomic_write(tmp_path / "out"):
            pass
    refuse(errno.ENOSPC)
    with pytest.raises(OSError, match="No space left") as caught, atomic_write(tmp_path / "out"):
        pass
    assert caught.value.errno == errno.ENOSPC
