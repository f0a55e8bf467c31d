"""A real server that nobody manages over SSH: what a person does there, to copy.

On Linux these are the very commands that a plan would send, in a unit of systemd. On
FreeBSD, see ifconfig(8), gif(4), gre(4), rc.conf(5): its kernel answers ARP only for
addresses of the device that was asked. On Windows, see netsh interface ipv4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from cluster.lvs import real_server
from cluster.lvs.command import Command
from cluster.lvs.host import GRE, GRE_CSUM, LOOPBACK, HostState
from cluster.lvs.plan import plan
from cluster.lvs.table import IPAddress
from cluster.lvs.terms import ForwardingMethod
from cluster.lvs.wish import ClusterWish, served_by
from cluster.lvs.words import Sentence, gettext_noop
from cluster.lvs.words import say as _

UNIT = "lvs-real-server"
_UNIT_FILE = f"/etc/systemd/system/{UNIT}.service"


class Family(Enum):
    """Families of operating systems that steps are known for."""

    LINUX = "linux"
    FREEBSD = "freebsd"
    WINDOWS = "windows"

    @property
    def label(self) -> str:
        return {
            "linux": gettext_noop("Linux with systemd"),
            "freebsd": gettext_noop("FreeBSD"),
            "windows": gettext_noop("Windows"),
        }[self.value]


@dataclass(frozen=True, slots=True)
class Block:
    """Something to do, and the text to copy for it ("": nothing to copy)."""

    sentence: Sentence
    text: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """What one real server has to do, read from the wish of its cluster.

    *served* are VIPs by the device of a Linux host; *gateways* the addresses that its
    default route may have, empty when it has no NAT service whose replies it carries.
    """

    rip: IPAddress
    served: dict[str, list[tuple[IPAddress, int]]]
    gue: tuple[int, ...]
    gateways: tuple[str, ...]
    directors: tuple[str, ...]

    @property
    def vips(self) -> list[IPAddress]:
        return list(dict.fromkeys(v for vips in self.served.values() for v, _n in vips))

    @property
    def tunnels(self) -> list[str]:
        return [device for device in self.served if device != LOOPBACK]

    @property
    def is_nothing(self) -> bool:
        return not self.served and not self.gateways


def task(
    wish: ClusterWish,
    rip: IPAddress,
    directors: Iterable[str],
    gateways: Iterable[str] = (),
) -> Task:
    """Return what *rip* has to do; *gateways* are addresses of the active director."""
    served, gue = served_by(wish, rip)
    by_nat = any(
        server.address == rip and server.method is ForwardingMethod.NAT
        for service in wish.table.services
        if not service.source_nat
        for server in service.servers
    )
    through = tuple(gateways) if by_nat else ()
    return Task(rip, served, tuple(sorted(gue)), through, tuple(directors))


def steps(task: Task, family: Family) -> list[Block]:
    """Return what to do, in order."""
    if task.is_nothing:
        text = _("Nothing: its packets look as if the director itself had asked.")
        return [Block(text)]
    made = {
        Family.LINUX: _linux,
        Family.FREEBSD: _freebsd,
        Family.WINDOWS: _windows,
    }[family](task)
    return [*made, *_default_route(task, family)]


# -- Linux ----------------------------------------------------------------------------


def commands(task: Task) -> tuple[list[Command], list[Command]]:
    """Return what a plan would send to such a host, and what takes it away again."""
    wish = real_server.wish(task.served, task.rip, task.gue)
    changes = plan({"": HostState()}, {"": wish}, {}).changes
    undo = [change.undo for change in reversed(changes) if change.undo]
    return [change.command for change in changes], undo


def _linux(task: Task) -> Iterator[Block]:
    if not task.served:
        return
    start, stop = commands(task)
    lines = [
        f"cat > {_UNIT_FILE} <<'END'",
        "[Unit]",
        "Description=VIPs of a real server of LVS",
        "After=network.target",
        "",
        "[Service]",
        "Type=oneshot",
        "RemainAfterExit=yes",
        *(f"ExecStart={' '.join(command.argv)}" for command in start),
        *(f"ExecStop=-{' '.join(command.argv)}" for command in stop),
        "",
        "[Install]",
        "WantedBy=multi-user.target",
        "END",
        f"systemctl daemon-reload && systemctl enable --now {UNIT}",
    ]
    yield Block(
        _("As root. It lasts over a reboot; every command is a line of its own."),
        "\n".join(lines),
    )
    yield Block(
        _("To take all of it away again:"),
        f"systemctl disable --now {UNIT}; rm {_UNIT_FILE}",
    )


# -- FreeBSD --------------------------------------------------------------------------


def _freebsd(task: Task) -> Iterator[Block]:
    if task.gue:
        yield Block(_("FreeBSD cannot take packets out of GUE: choose ipip or gre."))
    aliases = [f"inet {vip} netmask 255.255.255.255" for vip in task.vips]
    if aliases:
        lines = [
            *(
                f'sysrc ifconfig_lo0_alias{n}="{words}"'
                for n, words in enumerate(aliases)
            ),
            *(f"ifconfig lo0 {words} alias" for words in aliases),
        ]
        yield Block(
            _(
                "As root: the VIP on lo0, now and after a reboot. Take free numbers where"
                " lo0 has aliases already. FreeBSD answers ARP only for addresses of the"
                " device that was asked, so no more is needed."
            ),
            "\n".join(lines),
        )
    if task.tunnels and not task.gue:
        yield Block(
            _("As root: a tunnel from each director, which packets come out of."),
            "\n".join(_freebsd_tunnels(task)),
        )


def _freebsd_tunnels(task: Task) -> Iterator[str]:
    gre = any(device in (GRE, GRE_CSUM) for device in task.tunnels)
    kind = "gre" if gre else "gif"
    names = [f"{kind}{n}" for n, _director in enumerate(task.directors)]
    yield f'sysrc cloned_interfaces+="{" ".join(names)}"'
    for name, director in zip(names, task.directors, strict=True):
        words = f"tunnel {task.rip} {director}"
        if GRE_CSUM in task.tunnels:
            words += " enable_csum"
        yield f'sysrc ifconfig_{name}="{words} up"'
        yield f"ifconfig {name} create; ifconfig {name} {words} up"


# -- Windows --------------------------------------------------------------------------


def _windows(task: Task) -> Iterator[Block]:
    if task.tunnels:
        yield Block(
            _(
                "Windows cannot take packets out of a tunnel of LVS: choose direct"
                " routing or NAT for it."
            )
        )
        return
    if not task.served:
        return
    yield Block(
        _(
            "Add a loopback adapter: run this, choose to install the hardware manually,"
            " Network adapters, Microsoft, Microsoft KM-TEST Loopback Adapter."
        ),
        "hdwwiz.exe",
    )
    lines = [
        (
            'Get-NetAdapter -InterfaceDescription "*KM-TEST Loopback*" |'
            ' Rename-NetAdapter -NewName "lvs"'
        ),
        *(
            f'netsh interface ipv4 add address "lvs" {vip} 255.255.255.255'
            for vip in task.vips
        ),
        (
            'netsh interface ipv4 set interface "lvs" metric=254'
            " weakhostreceive=enabled weakhostsend=enabled"
        ),
        'Set-DnsClient -InterfaceAlias "lvs" -RegisterThisConnectionsAddress $false',
        f'$lan = (Get-NetIPAddress -IPAddress "{task.rip}").InterfaceAlias',
        'netsh interface ipv4 set interface "$lan" weakhostreceive=enabled',
    ]
    yield Block(
        _(
            "In PowerShell as administrator: the VIP on it, silent towards the LAN, and"
            " taken when it comes by the network card."
        ),
        "\n".join(lines),
    )


# -- NAT ------------------------------------------------------------------------------


def _default_route(task: Task, family: Family) -> Iterator[Block]:
    if not task.gateways:
        return
    gateway = task.gateways[0]
    text = {
        Family.LINUX: f"ip route replace default via {gateway}",
        Family.FREEBSD: (
            f'sysrc defaultrouter="{gateway}"; route change default {gateway}'
        ),
        Family.WINDOWS: "\n".join(
            [
                f'$lan = (Get-NetIPAddress -IPAddress "{task.rip}").InterfaceAlias',
                "Remove-NetRoute -DestinationPrefix 0.0.0.0/0 -InterfaceAlias $lan",
                (
                    "New-NetRoute -DestinationPrefix 0.0.0.0/0 -InterfaceAlias $lan"
                    f" -NextHop {gateway}"
                ),
            ]
        ),
    }[family]
    yield Block(
        _(
            "NAT: replies must come back through the director, so that it is the default"
            " route. You may lose your way to the machine: keep a console at hand."
        ),
        text,
    )
    if family is Family.LINUX:
        yield Block(
            _(
                "To last over a reboot, the gateway {gateway} also belongs into the"
                " network settings of the distribution (ifupdown, netplan,"
                " NetworkManager or systemd-networkd).",
                gateway=gateway,
            )
        )
