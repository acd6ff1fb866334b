"""A headless Chromium driven through its DevTools pipe: standard library alone."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = next((found for name in _NAMES if (found := shutil.which(name))), None)

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-pipe",
)


class Browser:
    """One page in a browser of its own, rendered in software; a context manager.

    Attributes:
        log: what the page wrote to its console, and errors that nobody caught.
    """

    def __init__(self, width: int = 768, height: int = 512, scale: float = 1.0, *flags: str) -> None:
        assert CHROMIUM is not None
        self.log: list[str] = []
        self._folder = TemporaryDirectory(prefix="partinr-browser-", ignore_cleanup_errors=True)
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()

        def take_pipes() -> None:
            # Chromium reads commands from 3 and writes to 4; the ends may have these numbers themselves.
            one, other = os.dup(to_browser), os.dup(from_browser)
            os.dup2(one, 3)
            os.dup2(other, 4)

        self._process = subprocess.Popen(
            [
                CHROMIUM,
                *_FLAGS,
                *flags,
                f"--user-data-dir={self._folder.name}",
                f"--window-size={width},{height}",
            ],
            preexec_fn=take_pipes,
            close_fds=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._pending, self._count = b"", 0
        self._session: str | None = None
        self._answers: dict[int, dict[str, Any]] = {}
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Runtime.enable")
        metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._session = None
            self.call("Browser.close", timeout=5)
        except (RuntimeError, TimeoutError, OSError):
            self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)
        self._folder.cleanup()

    def call(self, method: str, *, timeout: float = 60, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its answer.

        Raises:
            RuntimeError: the browser says that it cannot.
            TimeoutError: there is no answer.
        """
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + timeout
        while self._count not in self._answers:
            self._receive(until)
        answer = self._answers.pop(self._count)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        found: dict[str, Any] = answer["result"]
        return found

    def _receive(self, until: float) -> None:
        ready, _, _ = select.select([self._read], [], [], max(0, until - time.monotonic()))
        if not ready:
            raise TimeoutError("the browser does not answer")
        part = os.read(self._read, 1 << 20)
        if not part:
            raise RuntimeError("the browser ended")
        *whole, self._pending = (self._pending + part).split(b"\0")
        for text in whole:
            message = json.loads(text)
            if "id" in message:
                self._answers[message["id"]] = message
            elif message["method"] == "Runtime.consoleAPICalled":
                words = message["params"]["args"]
                self.log.append(" ".join(str(word.get("value", word.get("description"))) for word in words))
            elif message["method"] == "Runtime.exceptionThrown":
                details = message["params"]["exceptionDetails"]
                self.log.append(details.get("exception", {}).get("description", details["text"]))

    def open(self, path: Path, script: str = "") -> None:
        """Load a page from a file; `script` runs before it."""
        if script:
            self.call("Page.addScriptToEvaluateOnNewDocument", source=script)
        self.call("Page.navigate", url=path.resolve().as_uri())

    def value(self, expression: str, timeout: float = 60) -> Any:
        """What JavaScript gives, waited for if it is a promise.

        Raises:
            RuntimeError: it throws.
        """
        answer = self.call(
            "Runtime.evaluate", timeout=timeout, expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def until(self, expression: str, timeout: float = 30) -> Any:
        """Wait until JavaScript gives something that is true; returns it."""
        end = time.monotonic() + timeout
        while not (found := self.value(expression, timeout)):
            if time.monotonic() > end:
                raise TimeoutError(f"{expression} is still {found}; the page says {self.log}")
            time.sleep(0.02)
        return found

    def picture(self) -> bytes:
        """What the page shows, as a PNG file."""
        import base64

        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
