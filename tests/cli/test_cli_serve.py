"""`partinr render` and `serve` of stores of tiles, as a user runs them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from skimage.data import astronaut

import partinr
from cli_helpers import run
from stores import stored


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return stored(tmp_path_factory.mktemp("stores") / "slide.inrs", astronaut()[:150, :200])


def test_a_store_is_rendered(path, tmp_path):
    whole, part = tmp_path / "whole.png", tmp_path / "part.npy"
    assert run("render", path, "-o", whole).code == 0
    found = partinr.open(path)
    np.testing.assert_array_equal(partinr.read(whole).values, found[...])
    assert (
        run("render", path, "-o", part, "--crop", "50,60,90,140", "--scale", 2, "--between", "smooth").code
        == 0
    )
    wanted = found.render(crop=((60, 140), (50, 90)), scale=2, between="smooth")
    np.testing.assert_array_equal(np.load(part), wanted)
    ran = run("render", tmp_path / "none.inrs", "-o", part)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)


def test_a_store_is_served(path):
    program = [sys.executable, "-m", "partinr", "serve", str(path), "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(Path(partinr.__file__).parents[1])}
    with subprocess.Popen(program, stdout=subprocess.PIPE, env=environment, text=True) as server:
        assert server.stdout is not None
        page = server.stdout.readline().split()[-1]
        assert page.startswith("http://127.0.0.1:")
        port = int(page.rstrip("/").rpartition(":")[2])
        for _ in range(100):
            try:
                told = json.load(urlopen(f"{page}iiif/3/slide/info.json", timeout=10))
                break
            except OSError:
                time.sleep(0.05)
        assert (told["width"], told["height"]) == (200, 150)
        taken = run("serve", path, "--port", port)
        assert taken.code == 2
        assert f"cannot listen on port {port} of 127.0.0.1" in taken.err
        # Others on this machine's other addresses are not let in.
        with socket.socket() as other:
            other.settimeout(2)
            assert other.connect_ex(("127.0.0.2", port)) != 0
        server.send_signal(signal.SIGINT)
        assert server.wait(20) in (0, 130)


def test_what_cannot_be_served_is_said(path, tmp_path):
    for words, message in (
        ((tmp_path / "none.inr",), "no such file"),
        ((path, path), "two pictures would have the name slide"),
        ((path, "--base", "example.org"), "--base must begin with http"),
        ((path, "--host", "no.such.host.invalid"), "cannot listen on no.such.host.invalid"),
    ):
        ran = run("serve", *words, "--port", "0")
        assert ran.code == 2
        assert message in ran.err
        assert len(ran.err.splitlines()) == 1
