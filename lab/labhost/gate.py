"""The gate: the one way from the machine into the lab's network.

It inherits listening sockets that live on the machine's loopback, and runs inside the
lab's network namespace, so every connection that it opens starts in there. No packet
is routed between the two networks.

    python3 -m labhost.gate READY_FD LISTENER_FD=ADDRESS...
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable

from labhost.network import make_bridges
from labhost.table import read_table

SSH = 22
CONNECT_WITHIN = 5.0
# a host that was powered off in the middle of a connection says nothing any more:
# after about this many milliseconds the connection counts as broken
SILENCE = 12_000

Visit = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def serve(doors: dict[int, str]) -> None:
    servers = []
    for fd, address in doors.items():
        listener = socket.socket(fileno=fd)
        listener.setblocking(False)
        servers.append(await asyncio.start_server(_visitor(address), sock=listener))
    await asyncio.gather(*(server.serve_forever() for server in servers))


def _visitor(address: str) -> Visit:
    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                inner_reader, inner_writer = await asyncio.open_connection(address, SSH)
        except OSError:  # refused, no such host on the wire, or no answer in time
            _reset(writer)
            return
        _prepare(writer)
        _prepare(inner_writer)
        try:
            await asyncio.gather(
                _pump(reader, inner_writer), _pump(inner_reader, writer)
            )
        except OSError:
            _reset(writer)
            _reset(inner_writer)
        else:
            writer.close()
            inner_writer.close()

    return visit


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


def _prepare(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    for level, option, value in (
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 4),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE),
    ):
        connection.setsockopt(level, option, value)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Closes with a reset, so that the other side does not take it for a good end."""
    connection: socket.socket = writer.get_extra_info("socket")
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


def main(ready: str, *doors: str) -> None:
    subnets = {host.subnet.name: host.subnet for host in read_table().values()}
    make_bridges(subnets.values())
    os.write(int(ready), b"ready")
    os.close(int(ready))
    pairs = (door.split("=") for door in doors)
    asyncio.run(serve({int(fd): address for fd, address in pairs}))


if __name__ == "__main__":
    main(*sys.argv[1:])
