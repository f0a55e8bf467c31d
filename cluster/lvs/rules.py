"""``ipvsadm -Sn`` text <-> Table, and the single rules that change a table.

See ipvsadm(8). A rule is one line for ``ipvsadm -R``: no shell, no quotes, only words
that were rendered from typed values. ``-e`` and ``-E`` reset what is not repeated, so
every rule carries the whole record.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from ipaddress import IPv4Network

from cluster.lvs.table import (
    IPAddress,
    RealServer,
    ServiceAddress,
    Table,
    Tunnel,
    VirtualService,
    read_address,
)
from cluster.lvs.terms import ForwardingMethod, Protocol, Scheduler

_PROTOCOLS = {p.switch: p for p in Protocol}
_METHODS = {m.switch: m for m in ForwardingMethod}
_CHECKSUMS = {
    "--tun-nocsum": "nocsum",
    "--tun-csum": "csum",
    "--tun-remcsum": "remcsum",
}
_PLAIN = Tunnel()
DEFAULT_PERSISTENCE = 300


class RuleError(ValueError):
    """A line that is not a rule as ``ipvsadm -S`` prints it."""


# -- render ---------------------------------------------------------------------------


def add_service(service: VirtualService) -> str:
    return _line("-A", service.at, _service_words(service))


def edit_service(service: VirtualService) -> str:
    return _line("-E", service.at, _service_words(service))


def delete_service(at: ServiceAddress) -> str:
    return _line("-D", at, [])


def add_server(at: ServiceAddress, server: RealServer) -> str:
    return _line("-a", at, [_server_rule(server)])


def edit_server(at: ServiceAddress, server: RealServer) -> str:
    return _line("-e", at, [_server_rule(server)])


def delete_server(at: ServiceAddress, server: RealServer) -> str:
    return _line("-d", at, ["-r", server.endpoint])


def add_local(at: ServiceAddress, local: IPAddress) -> str:
    """A local address, of a patched ipvsadm only; as ``--add-laddr``."""
    return _line("-P", at, ["-z", str(local)])


def delete_local(at: ServiceAddress, local: IPAddress) -> str:
    return _line("-Q", at, ["-z", str(local)])


def render(table: Table) -> str:
    """Return the rules that build this table from nothing, one a line."""
    return "".join(map(_rendered, table.services))


def _rendered(service: VirtualService) -> str:
    """Return the rules of one service, kept with it: the same services are written down
    again and again in a run, in a wish, in what a host has, in its boot file."""
    if not service.rules:
        lines = [add_service(service)]
        lines += [add_local(service.at, local) for local in service.laddrs]
        begin = _begin(service.at)
        lines += [begin + _server_rule(server) for server in service.servers]
        object.__setattr__(service, "rules", "".join(line + "\n" for line in lines))
    return service.rules


def _begin(at: ServiceAddress) -> str:
    return " ".join(("-a", *at.switches, ""))


def _line(verb: str, at: ServiceAddress, words: list[str]) -> str:
    return " ".join([verb, *at.switches, *words])


def _service_words(service: VirtualService) -> list[str]:
    words = ["-s", service.scheduler.value]
    if service.persistence:
        words += ["-p", str(service.persistence)]
        if service.netmask is not None:
            words += ["-M", _mask_word(service.netmask, service.at.family)]
    if service.engine:
        words += ["--pe", service.engine]
    if service.flags:
        words += ["-b", ",".join(service.flags)]
    if service.one_packet:
        words.append("-o")
    return words


def _server_rule(server: RealServer) -> str:
    """Return what a rule says of a real server; kept with it."""
    if not server.rule:
        object.__setattr__(server, "rule", " ".join(_server_words(server)))
    return server.rule


def _server_words(server: RealServer) -> list[str]:
    words = ["-r", server.endpoint, server.method.switch, "-w", str(server.weight)]
    if server.upper:
        words += ["-x", str(server.upper)]
    if server.lower:
        words += ["-y", str(server.lower)]
    if server.tunnel and server.tunnel.type != "ipip":
        words += ["--tun-type", server.tunnel.type]
        if server.tunnel.port:
            words += ["--tun-port", str(server.tunnel.port)]
        words.append(f"--tun-{server.tunnel.checksum}")
    return words


def _mask_word(prefix: int, family: int) -> str:
    return str(prefix) if family == 6 else str(IPv4Network((0, prefix)).netmask)


# -- parse ----------------------------------------------------------------------------


# A run reads its wish and an unchanged host again and again.
@lru_cache(maxsize=8)
def parse(text: str) -> Table:
    """Return the table that *text* describes; lines not understood are kept apart.

    A last line without its end was cut off: ``-w 1`` may have been ``-w 100``.
    """
    if not text.startswith("-A ") or not text.endswith("\n"):
        return _parse_lines(text)
    parts = text[3:-1].split("\n-A ")
    found = [service for part in parts if (service := parse_service(part))]
    table = Table(tuple(found))
    whole = len(parts) == len(found) == len(table.by_address)
    return table if whole else _parse_lines(text)


# Two tables of one cluster differ in few services: what is wished, was applied and is
# there become the same values, which makes them quick to compare.
@lru_cache(maxsize=4096)
def parse_service(part: str) -> VirtualService | None:
    """Return the only service of these lines, which begin after ``-A``; None when there
    is anything else in them."""
    head, *lines = part.split("\n")
    services, unknown = _read(f"-A {head}\n")
    begin = _begin(services[0].at) if services else "?"
    plain = len(part.splitlines()) == 1 + len(lines)
    if plain and not unknown and all(line.startswith(begin) for line in lines):
        try:
            servers = [parse_server(line[len(begin) :]) for line in lines]
            return replace(services[0], servers=tuple(servers))
        except (ValueError, IndexError):
            return None
    services, unknown = _read(f"-A {part}\n")
    return services[0] if len(services) == 1 and not unknown else None


# Many services of a cluster have the same real servers.
@lru_cache(maxsize=4096)
def parse_server(text: str) -> RealServer:
    """Return the real server of these words, which come after the service."""
    return _read_server(text.split())


def _parse_lines(text: str) -> Table:
    services, unknown = _read(text)
    return Table(tuple(services), tuple(unknown))


def _read(text: str) -> tuple[list[VirtualService], list[str]]:
    """Return the services of a listing, and the lines of it that are not understood."""
    services: dict[ServiceAddress, VirtualService] = {}
    servers: dict[ServiceAddress, list[RealServer]] = {}
    unknown: list[str] = []
    for line in text.splitlines(keepends=True):
        words = line.split()
        if not words:
            continue
        try:
            if not line.endswith("\n"):
                raise RuleError("cut off")
            _take(words, services, servers)
        except (ValueError, KeyError, IndexError):
            unknown.append(line.rstrip("\n"))
    found = [
        replace(service, servers=tuple(servers[at])) if servers[at] else service
        for at, service in services.items()
    ]
    return found, unknown


def _take(
    words: list[str],
    services: dict[ServiceAddress, VirtualService],
    servers: dict[ServiceAddress, list[RealServer]],
) -> None:
    verb, at, options = words[0], *_read_address(words[1:])
    if verb == "-A":
        services[at] = _read_service(at, options)
        servers[at] = []
    elif verb == "-a":
        servers[at].append(_read_server(options))
    elif verb == "-P":
        switch, local = options
        if switch != "-z":
            raise RuleError(switch)
        known = services[at]
        services[at] = replace(known, laddrs=(*known.laddrs, read_address(local)))
    else:
        raise RuleError(verb)


def _read_address(words: list[str]) -> tuple[ServiceAddress, list[str]]:
    if words[0] == "-f":
        six = words[2:3] == ["-6"]
        at = ServiceAddress.of_mark(number(words[1]), 6 if six else 4)
        return at, words[3 if six else 2 :]
    return _service_address(words[0], words[1]), words[2:]


# The servers of a service stand together, so that most lines repeat the one before.
@lru_cache(maxsize=64)
def _service_address(switch: str, endpoint: str) -> ServiceAddress:
    host, port = split_endpoint(endpoint)
    return ServiceAddress.of(_PROTOCOLS[switch], read_address(host), port)


def split_endpoint(text: str) -> tuple[str, int]:
    """Split ``10.0.1.6:80`` or ``[2001:db8::1]:80`` into address and port."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), number(port)


def number(word: str) -> int:
    """Return the number; no sign, no ``1_000``, no digits of other scripts."""
    if not (word.isascii() and word.isdigit()):
        raise RuleError(f"not a number: {word[:20]!r}")
    return int(word)


def _read_service(at: ServiceAddress, words: list[str]) -> VirtualService:
    if "-s" not in words:
        raise RuleError("a service is always listed with its scheduler: cut off?")
    service = VirtualService(at)
    rest = iter(words)
    for word in rest:
        if word in ("-o", "--ops"):
            service = replace(service, one_packet=True)
        else:
            service = _read_service_option(service, word, next(rest, ""))
    return service


def _read_service_option(
    service: VirtualService, word: str, value: str
) -> VirtualService:
    match word:
        case "-s":
            return replace(service, scheduler=Scheduler(value))
        case "-p":
            return replace(service, persistence=number(value))
        case "-M":
            return replace(service, netmask=_read_mask(value))
        case "--pe":
            return replace(service, engine=value)
        case "-b":
            return replace(service, flags=tuple(value.split(",")))
    raise RuleError(word)


def _read_mask(word: str) -> int:
    return IPv4Network(f"0.0.0.0/{word}").prefixlen if "." in word else number(word)


def _read_server(words: list[str]) -> RealServer:
    if words[0] != "-r":
        raise RuleError(words[0])
    host, port = split_endpoint(words[1])
    return RealServer(read_address(host), port, *_read_server_options(*words[2:]))


# Most real servers of a table have one of a few weights, and nothing else that differs.
@lru_cache(maxsize=256)
def _read_server_options(
    *words: str,
) -> tuple[ForwardingMethod, int, int, int, Tunnel | None]:
    method, tunnel = ForwardingMethod.DR, _PLAIN
    numbers = {"-w": 1, "-x": 0, "-y": 0}
    rest = iter(words)
    for word in rest:
        if word in numbers:
            numbers[word] = number(next(rest, ""))
        elif word in _METHODS:
            method = _METHODS[word]
        elif word in _CHECKSUMS:
            tunnel = replace(tunnel, checksum=_CHECKSUMS[word])
        else:
            tunnel = _read_tunnel_option(tunnel, word, next(rest, ""))
    # Every tunneling server is listed with its type; plain ipip is what None means.
    kept = None if tunnel == _PLAIN else tunnel
    weight, upper, lower = numbers.values()
    return method, weight, upper, lower, kept


def _read_tunnel_option(tunnel: Tunnel, word: str, value: str) -> Tunnel:
    match word:
        case "--tun-type":
            return replace(tunnel, type=value)
        case "--tun-port":
            return replace(tunnel, port=number(value))
    raise RuleError(word)
