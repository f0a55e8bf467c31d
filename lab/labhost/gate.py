"""The gate: the one way from the machine into the lab's network.

It inherits listening sockets that live on the machine's loopback, and runs inside the
lab's network namespace, so every connection that it opens starts in there. No packet
is routed between the two networks.

    python3 -m labhost.gate READY_FD LISTENER_FD=ADDRESS...
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import time
from threading import Event, Thread

from labhost.network import make_bridges
from labhost.table import read_table

SSH = 22
CONNECT_WITHIN = 5.0
# A host that was powered off in the middle of a connection says nothing any more:
# after about this many milliseconds the connection counts as broken.
SILENCE = 12_000
OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 4),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE),
)


def open_door(listener: socket.socket, address: str) -> None:
    while True:
        try:
            visitor, _ = listener.accept()
        except OSError:  # the visitor left already, or there are too many just now
            time.sleep(0.1)
            continue
        Thread(target=lead, args=(visitor, address), daemon=True).start()


def lead(visitor: socket.socket, address: str) -> None:
    """Carries one connection, both ways, until both sides have said all."""
    broken = Event()
    with visitor:
        try:
            host = socket.create_connection((address, SSH), CONNECT_WITHIN)
        except OSError:  # refused, nobody on the wire, or no answer in time
            _end_with_reset(visitor)
            return
        with host:
            host.settimeout(None)
            for side in (visitor, host):
                for level, option, value in OPTIONS:
                    side.setsockopt(level, option, value)
            back = Thread(target=pump, args=(host, visitor, broken), daemon=True)
            back.start()
            pump(visitor, host, broken)
            back.join()
            if broken.is_set():
                _end_with_reset(visitor)
                _end_with_reset(host)


def pump(source: socket.socket, target: socket.socket, broken: Event) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        if not broken.is_set():
            target.shutdown(socket.SHUT_WR)
    except OSError:
        broken.set()
        for side in (source, target):
            _wake(side)


def _wake(side: socket.socket) -> None:
    """The other pump may wait here for bytes that will not come any more."""
    try:
        side.shutdown(socket.SHUT_RD)
    except OSError:  # this is the side that broke
        return


def _end_with_reset(side: socket.socket) -> None:
    """So that nobody takes a broken connection for one that ended well."""
    side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def main(ready: str, *doors: str) -> None:
    subnets = {host.subnet.name: host.subnet for host in read_table().values()}
    make_bridges([*subnets.values()])
    threads = []
    for door in doors:
        fd, _, address = door.partition("=")
        listener = socket.socket(fileno=int(fd))
        threads.append(Thread(target=open_door, args=(listener, address), daemon=True))
        threads[-1].start()
    os.write(int(ready), b"ready")
    os.close(int(ready))
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
