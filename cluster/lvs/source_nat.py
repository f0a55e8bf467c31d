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
    """Connections of one service reach its real servers from *source*."""

    at: ServiceAddress
    source: IPAddress

    @property
    def words(self) -> tuple[str, ...]:
        protocol = self.at.protocol.value if self.at.protocol else ""
        return (
            *(CHAIN, "-p", protocol, "-m", "ipvs", "--vaddr", f"{self.at.address}/32"),
            *("--vport", str(self.at.port), "--vmethod", "masq"),
            *("-j", "SNAT", "--to-source", str(self.source)),
        )


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
        return SourceNat(at, ip_address(options["--to-source"]))
    except ValueError:
        return None
