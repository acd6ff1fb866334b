"""A web server for tests: it gives parts of files, and says what was asked of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Web:
    """What the server does, and has done.

    Attributes:
        url: of the folder that it has.
        parts: whether it gives parts of files, or always all of one.
        missing: status for what is not there.
        fails: whether it answers everything with 500.
        sent: name and bytes of each answer.
    """

    url: str = ""
    parts: bool = True
    missing: int = 404
    fails: bool = False
    sent: list[tuple[str, int]] = field(default_factory=list)

    def bytes(self) -> int:
        """That were sent since it was last asked."""
        found = sum(count for _, count in self.sent)
        self.sent.clear()
        return found


@contextmanager
def served(folder: Path) -> Iterator[Web]:
    """A folder at an address on this machine."""
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = folder / self.path.split("?")[0].strip("/")
            there = path.is_file() and not web.fails
            data = path.read_bytes() if there else b""
            headers = {"Last-Modified": str(path.stat().st_mtime_ns)} if there else {}
            status = 500 if web.fails else 200 if there else web.missing
            asked = self.headers.get("Range")
            if there and asked and web.parts:
                first, last = asked.removeprefix("bytes=").split("-")
                headers["Content-Range"] = f"bytes {asked[6:]}/{len(data)}"
                status, data = 206, data[int(first) : int(last) + 1]
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                web.sent.append((path.name, len(data)))
                self.wfile.write(data)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        web.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield web
        finally:
            server.shutdown()
            thread.join()
