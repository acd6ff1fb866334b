"""`partinr serve`: functions over HTTP, for IIIF viewers and for the page that comes with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from partinr.cli.console import Bar, say
from partinr.cli.options import option
from partinr.errors import InputError, need


def serve(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="STORE.inrs|FILE.inr ...",
            show_default=False,
            help="Pictures that fit wrote.",
        ),
    ],
    port: Annotated[
        int, option("The port to listen on; 0 for any that is free.", "N", min=0, max=65535)
    ] = 8080,
    host: Annotated[
        str,
        option("The address to listen on; 0.0.0.0 lets other machines in.", "HOST"),
    ] = "127.0.0.1",
    base: Annotated[
        str | None,
        option("What addresses begin with for those who ask, behind a proxy. Default: as they ask.", "URL"),
    ] = None,
    memory: Annotated[
        int,
        option(
            "What was decoded and evaluated and is kept, in megabytes, for all pictures together.",
            "MB",
            min=1,
        ),
    ] = 1024,
    max_area: Annotated[
        int, option("Pixels that a picture which is asked for may have, in millions.", "N", min=1, max=1000)
    ] = 16,
    seconds: Annotated[float, option("For which a request may be worked on.", "S", min=1, max=3600)] = 30.0,
    quiet: Annotated[bool, option("Do not say where.", None, "--quiet", "-q")] = False,
) -> None:
    """Serve functions by the IIIF Image API 3.0, level 2: any region at any size, evaluated when asked for.

    The page at / shows them with OpenSeadragon. Of a large picture an overview is made first, unless it
    has one, and kept in the store, if that is a folder that can be written to. Ends with Ctrl-C.

    Example: partinr serve slide.inrs --port 8080
    """
    need("starlette", "partinr serve", "serve")
    need("uvicorn", "partinr serve", "serve")

    from tempfile import TemporaryDirectory

    from partinr.serve.app import PREFIX, application
    from partinr.serve.asked import Limits
    from partinr.serve.picture import Picture
    from partinr.serve.server import listening, run
    from partinr.tiles.overview import seen_from_afar

    if base is not None and not base.startswith(("http://", "https://")):
        raise InputError(f"--base must begin with http:// or https://, got {base!r:.100}")
    limits = Limits(area=max_area << 20)
    # As much for overviews, which everybody looks at.
    each = (memory << 19) // len(sources)
    names = [_name(source) for source in sources]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise InputError(f"two pictures would have the name {doubled}; rename one")
    with listening(host, port) as sockets, TemporaryDirectory(prefix="partinr-") as folder:
        pictures = []
        for name, source in zip(names, sources, strict=True):
            with Bar(f"overview of {name}", quiet=quiet) as bar:
                mosaic = seen_from_afar(source, each, Path(folder) / name, bar.show)
            pictures.append(Picture(name, mosaic, limits))
        app = application(pictures, base=base.rstrip("/") if base else None, seconds=seconds)
        found = sockets.getsockname()[1]
        at = base or f"http://{f'[{host}]' if ':' in host else host}:{found}"
        if not quiet:
            say([("page", f"{at}/"), *(("image", f"{at}{PREFIX}/{name}/info.json") for name in names)])
        run(app, sockets)


def _name(source: Path) -> str:
    """An image's identifier: the name of its file without suffixes."""
    name = source.name.removesuffix(".zip")
    return name.removesuffix(".inrs").removesuffix(".inr") or "image"
