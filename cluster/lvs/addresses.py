"""A typed IP address: what is odd about the text, and what no VIP can be.

Zone, prefix and port are no part of an address here. See RFC 4291 and RFC 5952.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from cluster.lvs.table import IPAddress
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _

# Where IPv6 addresses of hosts come from: global and unique local unicast. sudoers lets
# nothing else through, see privileges.py.
UNICAST6 = (IPv6Network("2000::/3"), IPv6Network("fc00::/7"))
_HEX = r"[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*"


class Wrong(ValueError):
    """A word that cannot be what it should be; *sentence* says why."""

    def __init__(self, sentence: Sentence) -> None:
        self.sentence = sentence
        super().__init__(str(sentence))


def read_address(text: str) -> IPAddress:
    """Return an IP address; raises Wrong with what is odd about the text."""
    text = text.strip()
    try:
        address = ip_address(text)
    except ValueError:
        raise Wrong(_why_none(text)) from None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            raise Wrong(_without_zone(text))
        if address.ipv4_mapped:
            raise Wrong(
                _(
                    "“{text}” is an IPv4 address in the clothes of IPv6: write"
                    " {address}.",
                    text=text,
                    address=address.ipv4_mapped,
                )
            )
    return address


def of_family(own: Sequence[IPAddress], family: int) -> IPAddress:
    """Return the address of a host in this family (4, 6) if it has one, or its first."""
    return next((one for one in own if one.version == family), own[0])


def short(text: str, longest: int = 40) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _without_zone(text: str) -> Sentence:
    return _(
        "Write the address alone, without “{zone}”: the director finds the device by"
        " its networks.",
        zone=short(text[text.index("%") :]),
    )


def _why_none(text: str) -> Sentence:
    if "/" in text:
        return _(
            "Write the address alone, without “{rest}”: the prefix is that of the"
            " director's network.",
            rest=short(text[text.index("/") :]),
        )
    port = re.fullmatch(rf"([0-9.]+|\[{_HEX}\]):[0-9]*", text, re.ASCII)
    if port:
        return _("Write the address alone: the port has a field of its own.")
    if re.fullmatch(rf"\[{_HEX}\]", text, re.ASCII):
        return _("Write the address without brackets.")
    if text.count(":") > 1:
        if "%" in text:
            return _without_zone(text)
        return _why_no_ipv6(text)
    numbers = text.split(".")
    if len(numbers) == 4 and all(re.fullmatch("[0-9]{1,9}", n) for n in numbers):
        big = next((n for n in numbers if int(n) > 255), None)
        if big:
            return _(
                "“{text}” is no IPv4 address: {number} is larger than 255.",
                text=short(text),
                number=big,
            )
        # Some programs read 031 as octal: 25. Nobody shall have to guess.
        return _("Write “{text}” without leading zeros.", text=short(text))
    return _(
        "“{text}” is no IP address such as 10.0.1.31 or fd00:10:0:1::31.",
        text=short(text),
    )


def _why_no_ipv6(text: str) -> Sentence:
    groups = text.split(":")
    odd = next((g for g in groups if not re.fullmatch("[0-9A-Fa-f]{0,4}", g)), None)
    if odd is not None and "." not in odd:
        return _(
            "“{text}” is no IPv6 address: “{group}” is not one to four digits of"
            " 0 to 9 and a to f.",
            text=short(text),
            group=short(odd),
        )
    if text.count("::") > 1 or ":::" in text:
        return _(
            "“{text}” is no IPv6 address: “::” can stand in it only once.",
            text=short(text),
        )
    if "::" not in text and len(groups) < 8:
        return _(
            "“{text}” is no IPv6 address: it has {count} groups instead of 8. Write"
            " “::” where groups of zeros are left out.",
            text=short(text),
            count=len(groups),
        )
    return _("“{text}” is no IPv6 address such as fd00:10:0:1::31.", text=short(text))


def no_vip(vip: IPAddress) -> Sentence | None:
    """Say why no host of a LAN can have this address as a VIP."""
    if vip.is_loopback:
        return _("{vip} is a loopback address: no client can reach it.", vip=vip)
    if vip.is_multicast:
        return _("{vip} is a multicast address. A VIP belongs to one host.", vip=vip)
    if isinstance(vip, IPv6Address):
        return _no_vip6(vip)
    if int(vip) >> 24 == 0:
        return _("{vip} stands for “this network”, it cannot be bound.", vip=vip)
    if vip == IPv4Address("255.255.255.255"):
        return _("{vip} is the broadcast address of every network.", vip=vip)
    if vip.is_reserved:
        return _("{vip} is reserved, no network uses such addresses.", vip=vip)
    return None


def _no_vip6(vip: IPv6Address) -> Sentence | None:
    if vip.is_unspecified:
        return _("{vip} stands for “no address”, it cannot be bound.", vip=vip)
    if vip.is_link_local:
        return _(
            "{vip} is a link-local address: it is good on one link only, and no name"
            " or client can lead to it without naming the link.",
            vip=vip,
        )
    if not any(vip in network for network in UNICAST6):
        return _("{vip} is reserved, no network uses such addresses.", vip=vip)
    return None


def read_number(text: str, low: int, high: int) -> int:
    """Return a whole number from *low* to *high*; raises Wrong."""
    text = text.strip()
    # [0-9], not \d: int() would also take digits of other scripts.
    if not re.fullmatch(r"-?[0-9]+", text, re.ASCII):
        raise Wrong(
            _("“{text}” is no whole number. Write {low} to {high}.",
              text=short(text), low=low, high=high)
        )  # fmt: skip
    if re.match(r"-?0[0-9]", text):
        raise Wrong(_("Write {text} without leading zeros.", text=short(text)))
    # Longer than any limit of ours: int() of a megabyte of digits takes its time.
    if len(text) > 12 or not low <= int(text) <= high:
        raise Wrong(
            _("{text} is out of range: {low} to {high} are possible.",
              text=short(text), low=low, high=high)
        )  # fmt: skip
    return int(text)
