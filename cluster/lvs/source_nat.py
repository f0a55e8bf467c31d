"""FULLNAT on a stock kernel: NAT, and the client's address replaced by the director's.

The kernel has no such method of its own. With ``net.ipv4.vs.conntrack`` IPVS keeps its
connections in conntrack, so that an ordinary SNAT rule sees them; xt_ipvs tells it
which service they belong to. See iptables-extensions(8), "ipvs" and "SNAT".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from cluster.lvs.table import IPAddress, ServiceAddress
from cluster.lvs.terms import Protocol

# Two programs with the same words. The kernel may lack what one of them needs.
LEGACY, NFT = "iptables-legacy", "iptables-nft"
TOOLS = (LEGACY, NFT)
CHAIN = "POSTROUTING"
_WORDS = {
    "-p",
    "-m",
    "--vaddr",
    "--vport",
    "--vmethod",
    "-j",
    "--to-source",
}


@dataclass(frozen=True, slots=True)
class SourceNat:
    """Connections of one service reach its real servers from *source*, or from one of
    the addresses from there to *last*."""

    at: ServiceAddress
    source: IPAddress
    last: IPAddress | None = None

    @property
    def sources(self) -> str:
        """Return ``10.0.1.3`` or ``10.0.1.201-10.0.1.204``."""
        return spelled((self.source, self.last or self.source))

    @property
    def words(self) -> tuple[str, ...]:
        protocol = self.at.protocol.value if self.at.protocol else ""
        return (
            *(CHAIN, "-p", protocol, "-m", "ipvs", "--vaddr", f"{self.at.address}/32"),
            *("--vport", str(self.at.port), "--vmethod", "masq"),
            *("-j", "SNAT", "--to-source", self.sources),
        )


def read_pool(text: str) -> tuple[IPAddress, IPAddress] | None:
    """Read what :func:`spelled` wrote; raises ValueError for anything else."""
    if not text:
        return None
    first, _dash, last = text.partition("-")
    return ip_address(first), ip_address(last or first)


def spelled(local: tuple[IPAddress, IPAddress] | None) -> str:
    """Return ``10.0.1.201-10.0.1.204``, one address alone, or "" for none."""
    if local is None:
        return ""
    first, last = local
    return str(first) if first == last else f"{first}-{last}"


def pool(local: tuple[IPAddress, IPAddress] | None) -> list[IPAddress]:
    """Return the addresses from the first to the last, both included."""
    if local is None:
        return []
    first, last = local
    return [first + n for n in range(int(last) - int(first) + 1)]


def parse(text: str) -> tuple[SourceNat, ...]:
    """Read ``iptables -t nat -S POSTROUTING``; rules of another form are not ours."""
    lines = (line.split() for line in text.splitlines())
    found = [_rule(words[2:]) for words in lines if words[:2] == ["-A", CHAIN]]
    return tuple(rule for rule in found if rule)


def read(words: Iterable[str]) -> SourceNat:
    """Return the rule of its words, as ``SourceNat.words`` gives them."""
    rule = _rule([*words][1:])
    if rule is None:
        raise ValueError(f"no rule of ours: {words}")
    return rule


def _rule(words: list[str]) -> SourceNat | None:
    options = dict(zip(words[::2], words[1::2], strict=False))
    same = len(words) == 2 * len(_WORDS) and options.keys() == _WORDS
    if not same or (options["-m"], options["-j"]) != ("ipvs", "SNAT"):
        return None
    # masq is listed as MASQ, 10.0.1.31/32 without its prefix.
    if options["--vmethod"].lower() != "masq":
        return None
    try:
        vip = ip_address(options["--vaddr"].removesuffix("/32"))
        at = ServiceAddress.of(Protocol(options["-p"]), vip, int(options["--vport"]))
        first, dash, last = options["--to-source"].partition("-")
        return SourceNat(at, ip_address(first), ip_address(last) if dash else None)
    except ValueError:
        return None
