"""The command line as a process of its own: exit codes, streams, signals, a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import partinr
from cli_helpers import COMMAND, picture, run_process, save_picture, start
from partinr.cli.interrupt import interruptible, stopping


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return save_picture(tmp_path / "photo.png", picture(60, 80))


def test_help_does_not_import_what_is_heavy() -> None:
    script = (
        "import sys\n"
        "from partinr.cli.commands import app\n"
        "try: app(['fit', '--help'])\n"
        "except SystemExit as end: print('code', end.code)\n"
        "heavy = {'torch', 'numpy', 'scipy', 'skimage', 'cv2', 'PIL', 'matplotlib', 'safetensors'}\n"
        "print('heavy', sorted(heavy & set(sys.modules)))\n"
    )
    source = str(Path(partinr.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("code 0\nheavy []\n")


def test_a_command_imports_what_it_uses(photo: Path, tmp_path: Path) -> None:
    assert run_process("fit", photo, "-o", tmp_path / "photo.inr", "--steps", 5).code == 0
    script = (
        "import sys\n"
        "from partinr.cli.commands import app\n"
        "try: app(['info', sys.argv[1]])\n"
        "except SystemExit: pass\n"
        "unused = {'torch', 'scipy', 'PIL', 'matplotlib', 'jaxtyping', 'rich', 'partinr.cli.fit'}\n"
        "print('unused', sorted(unused & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "photo.inr"],
        env={**os.environ, "PYTHONPATH": str(Path(partinr.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("file")
    assert done.stdout.endswith("unused []\n")


def test_bad_input_is_one_line_and_code_2(tmp_path: Path) -> None:
    ran = run_process("fit", tmp_path / "missing.png")
    assert (ran.code, ran.out) == (2, "")
    assert re.fullmatch(r"partinr: .*missing\.png: no such file.*\n", ran.err)


def test_a_reader_that_goes_away_is_no_crash() -> None:
    with start("fit", "--help") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_completion_knows_options_and_networks() -> None:
    source = str(Path(partinr.__file__).parents[1])
    for words, expected in (
        ("partinr re", "render"),
        ("partinr fit --network wi", "wire"),
        ("partinr fit --preset p", "paper"),
    ):
        done = subprocess.run(
            COMMAND,
            env={
                **os.environ,
                "PYTHONPATH": source,
                "_PARTINR_COMPLETE": "complete_bash",
                "COMP_WORDS": words,
                "COMP_CWORD": str(words.count(" ")),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.split() == [expected]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_writes_what_is_there(photo: Path, tmp_path: Path, number: signal.Signals) -> None:
    output, state = tmp_path / "out.inr", tmp_path / "state"
    # Far more steps than the test has time for: without the signal it would not end.
    with start(
        *("fit", photo, "-o", output, "--steps", 10**7, "--json", "--threads", 1),
        *("--partition", "grid:3x4", "--checkpoint", state),
    ) as process:
        try:
            wait_for(state / "state.safetensors", process)
            process.send_signal(number)
            if number == signal.SIGHUP:
                # A terminal that closes says so, and its shell says it again.
                process.send_signal(number)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    facts = json.loads(out)
    assert (out.count("\n"), facts["stopped"], facts["regions"]) == (1, "interrupted", 12)
    # Standard error is no terminal here: no progress bar.
    assert re.fullmatch(r"partinr: interrupted after .* --resume goes on\n", err)
    assert partinr.load(output).params == facts["params"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.inr", "photo.png", "state"]


def test_progress_on_a_terminal(photo: Path, tmp_path: Path) -> None:
    mine, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "fit", str(photo), "-o", str(tmp_path / "out.inr"), "--steps", "1000000", "--time", "2"],
        env={**os.environ, "PYTHONPATH": str(Path(partinr.__file__).parents[1]), "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(mine, 1 << 16)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        assert process.stdout is not None
        summary = process.stdout.read().decode()
    os.close(mine)
    assert process.returncode == 0
    text = shown.decode()
    assert re.search(r"\d+%", text)
    assert re.search(r"\d+\.\d\d dB  [\d.]+ steps/s  0:0\d left", text)
    assert "dB PSNR" in summary
    assert "\x1b" not in summary


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    ends = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < ends
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_signals_that_are_ignored_from_the_start_stay_ignored(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with interruptible(), stopping() as stop:
            signal.raise_signal(number)
            signal.raise_signal(number)
            assert not stop.asked
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_a_second_signal_ends_at_once_unless_a_terminal_closes() -> None:
    with stopping() as stop:
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
        assert stop.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
