"""Servers for UDP and SCTP on lab hosts, and a client that asks them.

nginx answers for TCP. What is here says its host's name to whoever sends something,
and writes the address of the sender into its journal.
"""

import shlex

from tests.lab.running import Lab

_SERVERS = {
    "udp": """
        socket S, PF_INET, SOCK_DGRAM, 17;
        bind S, pack_sockaddr_in($port, inet_aton($address)) or die $!;
        exit if fork;
        while (my $peer = recv S, my $said, 99, 0) {
            print inet_ntoa((unpack_sockaddr_in $peer)[1]), "\\n";
            send S, "$name\\n", 0, $peer;
        }
    """,
    "sctp": """
        socket S, PF_INET, SOCK_STREAM, 132;
        bind S, pack_sockaddr_in($port, inet_aton($address)) or die $!;
        listen S, 99;
        exit if fork;
        while (my $peer = accept C, S) {
            print inet_ntoa((unpack_sockaddr_in $peer)[1]), "\\n";
            send C, "$name\\n", 0;
            close C;
        }
    """,
}
# $sockets of them, and through each of them $times questions.
_CLIENTS = {
    "udp": """
        for (1 .. $sockets) {
            socket S, PF_INET, SOCK_DGRAM, 17;
            connect S, pack_sockaddr_in($port, inet_aton($address)) or die $!;
            for (1 .. $times) {
                send S, "who", 0;
                alarm 20;
                recv S, my $name, 99, 0;
                print $name;
            }
        }
    """,
    "sctp": """
        for (1 .. $sockets) {
            socket S, PF_INET, SOCK_STREAM, 132;
            alarm 20;
            connect S, pack_sockaddr_in($port, inet_aton($address)) or die $!;
            recv S, my $name, 99, 0;
            print $name;
            close S;
        }
    """,
}


def _perl(script: str, **values: str | int) -> str:
    settings = "".join(f"my ${key} = '{value}';" for key, value in values.items())
    text = f"use Socket; $| = 1; chomp(my $name = `hostname`); {settings} {script}"
    return f"perl -e {shlex.quote(' '.join(text.split()))}"


def serve(lab: Lab, host: str, protocol: str, address: str, port: int) -> None:
    """Answer on this address: a reply must leave with the address that was asked.

    Returns when the server listens: it leaves its parent, whom systemd waits for, then.
    """
    script = _perl(_SERVERS[protocol], address=address, port=port)
    unit = f"echo-{protocol}"
    lab.ssh(host, f"systemctl stop {unit} 2>/dev/null; journalctl -q --rotate; true")
    start = f"systemd-run --quiet --collect --property Type=forking --unit {unit}"
    lab.ssh(host, f"{start} {script}")


def stop(lab: Lab, host: str, protocol: str) -> None:
    lab.ssh(host, f"systemctl stop echo-{protocol}")


def seen(lab: Lab, host: str, protocol: str) -> list[str]:
    """Return the addresses that this server was asked from."""
    # What the server has written may still be on its way into the journal.
    read = f"journalctl --sync; journalctl -q -o cat -t perl -u echo-{protocol}; true"
    lines = lab.ssh(host, read)
    return lines.split()


def ask(
    lab: Lab, protocol: str, address: str, port: int, sockets: int, times: int = 1
) -> list[str]:
    """Let the client host ask; return who answered."""
    script = _perl(
        _CLIENTS[protocol], address=address, port=port, sockets=sockets, times=times
    )
    return lab.ssh("client", script).split()
