"""An SSH server that misbehaves in ways that a real sshd cannot be brought to."""

import asyncio
import threading

import asyncssh

from cluster.remote.shell import HostKey, KeyPair, Target


class OddServer:
    """`behave` is a coroutine function that gets the asyncssh process.

    `logins` has every user name that somebody tried to log in with.
    """

    def __init__(self, pair: KeyPair, behave=None, *, key="ssh-ed25519", refuse=""):
        self.pair, self.logins = pair, []
        self._behave, self._refuse = behave, refuse
        self._key = asyncssh.generate_private_key(key)
        words = self._key.export_public_key().decode().split()
        self.host_key = HostKey(words[0], words[1])
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._connections = []
        self._server = self._call(self._listen())
        self.port = self._server.sockets[0].getsockname()[1]

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self):
        odd = self
        accepted = asyncssh.import_authorized_keys(self.pair.public)

        class Server(asyncssh.SSHServer):
            def connection_made(self, connection):
                self.connection = connection
                odd._connections.append(connection)

            def begin_auth(self, user):
                odd.logins.append(user)
                if odd._refuse == "login":
                    self.connection.abort()
                self.connection.set_authorized_keys(accepted)
                return True

            def session_requested(self):
                if odd._refuse == "session":
                    return False
                if odd._refuse == "exec":
                    return asyncssh.SSHServerSession()
                return asyncssh.SSHServerProcess(odd._run, None, 3, False)

        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=Server,
            server_host_keys=[self._key],
            encoding=None,
        )

    async def _run(self, process):
        try:
            await self._behave(process)
        except (asyncssh.BreakReceived, OSError):
            pass

    def target(self, **other) -> Target:
        values = {
            "name": "lb01",
            "address": "127.0.0.1",
            "port": self.port,
            "user": "piranha",
            "host_key": self.host_key,
            "private_key": self.pair.private,
        }
        return Target(**(values | other))

    def stop(self) -> None:
        async def stop():
            self._server.close()
            for connection in self._connections:
                connection.abort()
            mine = asyncio.current_task()
            tasks = [task for task in asyncio.all_tasks() if task is not mine]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._call(stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
