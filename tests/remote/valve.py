"""A TCP relay that can go silent, as a host without power does: no FIN, no RST."""

import select
import socket
import threading


class Valve:
    def __init__(self, port: int):
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._callers: set[socket.socket] = set()
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._silent = False
        # How many more bytes pass from the side that connected; then it is shut.
        self.left: float = float("inf")
        self._stopped = False
        self._thread = threading.Thread(target=self._relay, daemon=True)
        self._thread.start()

    def shut(self) -> None:
        """From now on nothing passes, and nobody is told."""
        self._silent = True
        self._wake.send(b"x")

    def stop(self) -> None:
        self._stopped = True
        self._wake.send(b"x")
        self._thread.join(5)
        for sock in (self._listener, self._wake, self._woken, *self._pairs):
            sock.close()

    def _relay(self) -> None:
        while not self._stopped:
            watched = [] if self._silent else [self._listener, *self._pairs]
            for sock in select.select([self._woken, *watched], [], [])[0]:
                self._pass(sock)

    def _pass(self, sock: socket.socket) -> None:
        if sock is self._woken:
            sock.recv(1)
        elif sock is self._listener:
            here, _ = sock.accept()
            there = socket.create_connection(("127.0.0.1", self._to))
            self._pairs |= {here: there, there: here}
            self._callers.add(here)
        elif not self._silent and sock in self._pairs:
            self._forward(sock)

    def _forward(self, sock: socket.socket) -> None:
        other = self._pairs[sock]
        try:
            data = sock.recv(65536)
            if data:
                other.sendall(data)
                self._count(sock, data)
                return
        except OSError:
            pass
        for end in (sock, other):
            del self._pairs[end]
            end.close()

    def _count(self, sock: socket.socket, data: bytes) -> None:
        if sock in self._callers:
            self.left -= len(data)
            self._silent = self._silent or self.left <= 0
