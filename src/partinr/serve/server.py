"""An application listening to the world, by uvicorn."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from partinr.errors import InputError
from partinr.processes import keep_memory

if TYPE_CHECKING:
    from starlette.applications import Starlette

# Connections at once, and seconds that one may be idle.
_CONNECTIONS, _IDLE = 1024, 10
# Seconds after which a thread that computes in Python gives way: others only need a moment between kernels.
_TURN = 0.001


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that accepts connections.

    Args:
        host: a name or an address of this machine.
        port: 0 for any that is free.

    Raises:
        InputError: the address cannot be listened on.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
    except OSError as error:
        raise InputError(f"cannot listen on {host}: {error.strerror}; take --host 127.0.0.1") from error
    with found:
        # A port whose last server has just ended can be had at once; on Windows it means to share one.
        if sys.platform != "win32":
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind(address)
            found.listen(2048)
        except OSError as error:
            raise InputError(
                f"cannot listen on port {port} of {host}: {error.strerror}; take another one, or --port 0"
            ) from error
        yield found


def run(app: Starlette, place: socket.socket) -> None:
    """Answer requests until the process is interrupted."""
    import uvicorn

    keep_memory()
    sys.setswitchinterval(_TURN)
    settings = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        lifespan="off",
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_IDLE,
        timeout_graceful_shutdown=2,
        server_header=False,
    )
    uvicorn.Server(settings).run(sockets=[place])
