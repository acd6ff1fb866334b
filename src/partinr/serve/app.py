"""The server: addresses, headers and errors of the IIIF Image API 3.0, level 2; the page with a viewer.

Source: IIIF Image API 3.0, https://iiif.io/api/image/3.0/, sections 2 (addresses), 5 (information), 6
(profile), 7 (server responses).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from partinr.cores import on_cores, usable_cores
from partinr.errors import InputError, need
from partinr.serve.asked import FORMATS, Asked, UnservedError, asked
from partinr.serve.picture import CONTEXT, PROFILE, Picture, TooSlowError

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

PREFIX = "/iiif/3"
SECONDS = 30.0
"""For which a request may be worked on, waiting included."""

# Pictures in work for each core: some wait for a tile that another is decoding.
_AT_A_CORE = 2
# Requests that wait for their turn; more are turned away at once.
_WAITING = 512
# Bytes of pictures that were made and are kept: many look at the same ones.
_KEPT = 1 << 26
_PAGE = {
    "/": ("index.html", "text/html"),
    "/page.js": ("page.js", "text/javascript"),
    "/openseadragon.min.js": ("openseadragon.min.js", "text/javascript"),
    "/openseadragon.LICENSE.txt": ("openseadragon.LICENSE.txt", "text/plain"),
}
_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:"
_ANYONE = {"Access-Control-Allow-Origin": "*"}
_SENT = "GET, HEAD, OPTIONS"


class _Refused(Exception):
    """A request that has no answer, and why.

    Attributes:
        status: as HTTP has it.
        headers: that the answer has.
    """

    def __init__(self, status: int, why: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(why)
        self.status, self.headers = status, headers or {}


class _Images:
    """Answers to requests for images.

    Args:
        pictures: what is served.
        base: what addresses begin with, before `PREFIX`; None: as each request has it.
        cores: that pictures are made on.
        seconds: for which a request may take.
    """

    def __init__(self, pictures: Sequence[Picture], base: str | None, cores: int, seconds: float) -> None:
        self._pictures = {picture.name: picture for picture in pictures}
        self._base, self._seconds = base, seconds
        self._count, self._turns = cores, asyncio.Semaphore(_AT_A_CORE * cores)
        self._waiting = self._busy = 0
        self._made: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        # Of this run: another one may have other functions by these names.
        self._run = secrets.token_hex(8)

    async def __call__(self, request: Request) -> Response:
        """The answer to a request for anything below `PREFIX`."""
        from starlette.responses import Response

        if request.method == "OPTIONS":
            allowed = {"Access-Control-Allow-Methods": _SENT, "Access-Control-Allow-Headers": "*"}
            return Response(status_code=204, headers={**_ANYONE, **allowed, "Allow": _SENT})
        try:
            return await self._answer(request)
        except _Refused as error:
            headers = {**_ANYONE, **error.headers}
            return Response(f"{error}\n", error.status, headers, "text/plain")

    async def _answer(self, request: Request) -> Response:
        raw = request.scope.get("raw_path") or quote(request.url.path).encode()
        try:
            words = [unquote(word, errors="strict") for word in raw.decode("ascii").split("/")]
        except UnicodeDecodeError:
            raise _Refused(400, "addresses must be UTF-8, what is not ASCII as %XX") from None
        name, *rest = words[PREFIX.count("/") + 1 :]
        picture = self._pictures.get(name)
        if picture is None or len(rest) not in (0, 1, 4) or (len(rest) == 1 and rest[0] != "info.json"):
            raise _Refused(404, "there is no such image here")
        base = self._base or f"{request.url.scheme}://{request.url.netloc}"
        address = f"{base}{PREFIX}/{quote(name, safe='')}"
        if not rest:
            from starlette.responses import RedirectResponse

            return RedirectResponse(f"{address}/info.json", 303, _ANYONE)
        if len(rest) == 1:
            return _information(picture, address, request)
        return await self._picture(picture, address, (rest[0], rest[1], rest[2], rest[3]), request)

    async def _picture(
        self, picture: Picture, address: str, words: tuple[str, str, str, str], request: Request
    ) -> Response:
        from starlette.responses import Response

        try:
            wanted = asked(words, picture.whole, picture.limits)
        except UnservedError as error:
            raise _Refused(501, str(error)) from None
        except InputError as error:
            raise _Refused(400, str(error)) from None
        named = hashlib.sha256(f"{self._run} {picture.name} {wanted.canonical}".encode()).hexdigest()
        headers = {
            **_ANYONE,
            "Link": f'<{address}/{wanted.canonical}>;rel="canonical", <{PROFILE}>;rel="profile"',
            "ETag": f'"{named[:32]}"',
            "Cache-Control": "max-age=600",
        }
        if headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        made = self._made.get(named)
        if made is None:
            made = await self._make(picture, wanted, request)
            self._keep(named, made)
        else:
            self._made.move_to_end(named)
        return Response(made, headers=headers, media_type=FORMATS[wanted.format])

    async def _make(self, picture: Picture, wanted: Asked, request: Request) -> bytes:
        """A picture's file, when its turn comes."""
        until = time.monotonic() + self._seconds
        late = _Refused(503, "there is too much to do; ask again later", {"Retry-After": "5"})
        if self._waiting >= _WAITING:
            raise late
        self._waiting += 1
        try:
            await asyncio.wait_for(self._turns.acquire(), self._seconds)
        except TimeoutError:
            raise late from None
        finally:
            self._waiting -= 1
        self._busy += 1
        try:
            if await request.is_disconnected():
                raise _Refused(503, "nobody waits for this any longer")
            # Who is alone has all cores; those that are many are done soonest with one each.
            with on_cores(max(1, self._count // (self._busy + self._waiting))):
                return await asyncio.to_thread(picture.made, wanted, until)
        except TooSlowError:
            raise late from None
        except InputError as error:
            # Which of the server's files it is, is not the client's business.
            logging.getLogger("partinr").error("%s", error)
            raise _Refused(500, "the image cannot be read") from None
        finally:
            self._busy -= 1
            self._turns.release()

    def _keep(self, name: str, made: bytes) -> None:
        """Remember a picture's file, and forget those that were asked for longest ago."""
        if name not in self._made:
            self._made[name] = made
            self._bytes += len(made)
        while self._bytes > _KEPT:
            _, old = self._made.popitem(last=False)
            self._bytes -= len(old)


def _information(picture: Picture, address: str, request: Request) -> Response:
    from starlette.responses import JSONResponse

    kind = "application/json"
    if "application/ld+json" in request.headers.get("accept", ""):
        kind = f'application/ld+json;profile="{CONTEXT}"'
    headers = {
        **_ANYONE,
        "Link": f'<{CONTEXT}>;rel="http://www.w3.org/ns/json-ld#context";type="application/ld+json", '
        f'<{PROFILE}>;rel="profile"',
        "Vary": "Accept",
    }
    return JSONResponse(picture.info(address), headers=headers, media_type=kind)


def application(
    pictures: Sequence[Picture],
    *,
    base: str | None = None,
    cores: int | None = None,
    seconds: float = SECONDS,
) -> Starlette:
    """The server as an ASGI application.

    Args:
        pictures: what is served, each by its name.
        base: what addresses begin with for those who ask, such as https://example.org behind a proxy; None:
            as they ask.
        cores: that pictures are made on; None: all there are.
        seconds: for which a request may take.

    Raises:
        InputError: Starlette is not installed.
    """
    need("starlette", "serving", "serve")
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    async def page(request: Request) -> Response:
        name, kind = _PAGE[request.url.path]
        text = (files("partinr.serve") / "page" / name).read_bytes()
        headers = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"}
        return Response(text, headers=headers, media_type=kind)

    async def listed(request: Request) -> Response:
        del request
        names = [f"{PREFIX.removeprefix('/')}/{quote(picture.name, safe='')}" for picture in pictures]
        return JSONResponse([{"name": p.name, "address": at} for p, at in zip(pictures, names, strict=True)])

    async def nothing(request: Request) -> Response:
        del request
        return Response("there is nothing here\n", 404, _ANYONE, "text/plain")

    images = _Images(pictures, base, cores or usable_cores(), seconds)

    async def image(request: Request) -> Response:
        return await images(request)

    return Starlette(
        routes=[
            Route(f"{PREFIX}/{{rest:path}}", image, methods=["GET", "OPTIONS"]),
            Route("/pictures.json", listed),
            *(Route(path, page) for path in _PAGE),
            Route("/{rest:path}", nothing),
        ]
    )
