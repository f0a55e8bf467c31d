"""Options that do not go together, each with its reason at its field."""

import pytest

from cluster.lvs.options import Options, flag_names, of_server, of_service
from cluster.lvs.terms import ForwardingMethod, Protocol, Scheduler
from cluster.lvs.validate import Wrong, read_netmask

TCP, UDP, SCTP = Protocol.TCP, Protocol.UDP, Protocol.SCTP
ONLY_HASHING = "Only sh and mh hash the client; rr has no use for it."
NO_PERSISTENCE = (
    "A netmask groups clients for persistence: switch persistence on, or leave the"
    " netmask empty."
)

SERVICES = [
    (Options(), TCP, {}),
    (Options(Scheduler.SH, hash_port=True, hash_fallback=True), TCP, {}),
    (Options(Scheduler.MH, hash_fallback=True), SCTP, {}),
    (Options(persistence=300, netmask=24), TCP, {}),
    (Options(one_packet=True), UDP, {}),
    (
        Options(Scheduler.RR, hash_port=True, hash_fallback=True),
        TCP,
        {"hash_port": ONLY_HASHING, "hash_fallback": ONLY_HASHING},
    ),
    (Options(netmask=24), TCP, {"netmask": NO_PERSISTENCE}),
    *(
        (
            Options(one_packet=True),
            protocol,
            {
                "one_packet": "One-packet scheduling is for UDP only:"
                f" {protocol.label} needs all packets of a connection on one real"
                " server."
            },
        )
        for protocol in (TCP, SCTP)
    ),
]

NEEDS_UPPER = (
    "A lower threshold says when a full real server is used again: write an upper"
    " threshold too."
)
SERVERS = [
    (None, None, {}),
    (100, None, {}),
    (100, 100, {}),
    (0, 0, {}),
    (None, 50, {"lower": NEEDS_UPPER}),
    (0, 50, {"lower": NEEDS_UPPER}),
    (50, 100, {"lower": "The lower threshold 100 is above the upper one, 50."}),
]


@pytest.mark.parametrize(("options", "protocol", "found"), SERVICES)
def test_of_a_service(options, protocol, found):
    assert {f: str(why) for f, why in of_service(options, protocol)} == found


@pytest.mark.parametrize(("upper", "lower", "found"), SERVERS)
@pytest.mark.parametrize("method", ForwardingMethod)
def test_of_a_real_server(method, upper, lower, found):
    reasons = of_server(method, upper, lower, Options())
    assert {field: str(why) for field, why in reasons} == found


@pytest.mark.parametrize("method", ForwardingMethod)
def test_nat_cannot_translate_what_was_forgotten(method):
    chosen = Options(one_packet=True)
    fields = [f for f, _why in of_server(method, None, None, chosen)]
    assert fields == (["method"] if method is ForwardingMethod.NAT else [])


@pytest.mark.parametrize("method", ForwardingMethod)
def test_the_source_is_replaced_only_where_packets_are_rewritten(method):
    reasons = of_server(method, None, None, Options(source_nat=True))
    fields = [field for field, _why in reasons]
    assert fields == ([] if method is ForwardingMethod.NAT else ["method"])


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("24", 24),
        (" /24 ", 24),
        ("255.255.255.0", 24),
        ("255.255.255.255", 32),
        ("128.0.0.0", 1),
        ("0", "0 is out of range: 1 to 128 are possible."),
        ("129", "129 is out of range: 1 to 128 are possible."),
        ("0.0.0.0", "0.0.0.0 is no netmask such as 255.255.255.0 or 24."),  # noqa: S104
        ("0.0.0.255", "0.0.0.255 is no netmask such as 255.255.255.0 or 24."),
        ("255.0.255.0", "255.0.255.0 is no netmask such as 255.255.255.0 or 24."),
        (
            "255.255.255.256",
            "“255.255.255.256” is no IPv4 address: 256 is larger than 255.",
        ),
        ("x", "“x” is no whole number. Write 1 to 128."),
    ],
)
def test_a_netmask(text, result):
    shown: int | str
    try:
        shown = read_netmask(text)
    except Wrong as wrong:
        shown = str(wrong.sentence)
    assert shown == result


@pytest.mark.parametrize("scheduler", [Scheduler.SH, Scheduler.MH])
def test_flags_are_spelled_as_ipvsadm_does(scheduler):
    name = scheduler.value
    assert flag_names(scheduler, port=True, fallback=True) == (
        f"{name}-fallback",
        f"{name}-port",
    )
    assert flag_names(scheduler, port=False, fallback=False) == ()
