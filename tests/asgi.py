"""Requests to an ASGI application without a network: standard library alone."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.content)


async def ask(app: Any, method: str, path: str, headers: dict[str, str]) -> Answer:
    """One request; the path goes as it is."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path, errors="replace"),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [
            (b"host", b"testserver"),
            *((k.lower().encode(), v.encode()) for k, v in headers.items()),
        ],
        "server": ("testserver", 80),
        "client": ("127.0.0.1", 1),
    }
    found = Answer(0, {}, b"")
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if asked:  # a connection that stays
            await asyncio.sleep(3600)
        asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            found.status = message["status"]
            found.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            found.content += message.get("body", b"")

    await app(scope, receive, send)
    return found


class Client:
    """Asks an application, one request after the other."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def ask(self, method: str, path: str, **headers: str) -> Answer:
        spelled = {name.replace("_", "-"): value for name, value in headers.items()}
        return asyncio.run(ask(self._app, method, path, spelled))

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)
