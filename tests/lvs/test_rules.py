"""One list of tables and their spelling, read and written."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.lvs import rules
from cluster.lvs.rules import parse, render
from cluster.lvs.table import ServiceAddress, Table, Tunnel, VirtualService
from cluster.lvs.terms import ForwardingMethod, Protocol, Scheduler
from tests.build import at, server, service, table
from tests.tables import tables

SIMPLE_CASES = {
    "the walk-through of the notes": (
        (
            "-A -t 10.0.1.31:80 -s rr\n"
            "-a -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 1\n"
            "-a -t 10.0.1.31:80 -r 10.0.1.9:80 -g -w 1\n"
        ),
        table(service()),
    ),
    "persistence with a netmask": (
        "-A -t 10.0.1.31:443 -s wlc -p 300 -M 255.255.255.0\n",
        table(
            service(
                port=443,
                scheduler=Scheduler.WLC,
                servers=(),
                persistence=300,
                netmask=24,
            )
        ),
    ),
    "scheduler flags and one-packet scheduling": (
        "-A -u 10.0.1.31:53 -s sh -b sh-fallback,sh-port -o\n",
        table(
            VirtualService(
                at(port=53, protocol=Protocol.UDP),
                Scheduler.SH,
                flags=("sh-port", "sh-fallback"),
                one_packet=True,
            )
        ),
    ),
    "IPv6 and a persistence engine": (
        (
            "-A -u [2001:db8::1]:5060 -s rr -p 60 -M 64 --pe sip\n"
            "-a -u [2001:db8::1]:5060 -r [2001:db8::6]:5060 -m -w 3\n"
        ),
        table(
            VirtualService(
                at("2001:db8::1", 5060, Protocol.UDP),
                Scheduler.RR,
                (server("2001:db8::6", 5060, ForwardingMethod.NAT, weight=3),),
                persistence=60,
                netmask=64,
                engine="sip",
            )
        ),
    ),
    "firewall marks of both families": (
        "-A -f 7 -s rr\n-A -f 7 -6 -s lc\n",
        table(
            VirtualService(ServiceAddress.of_mark(7), Scheduler.RR),
            VirtualService(ServiceAddress.of_mark(7, 6), Scheduler.LC),
        ),
    ),
    "SCTP, thresholds, a tunnel with a port": (
        (
            "-A --sctp-service 10.0.1.31:99 -s nq\n"
            "-a --sctp-service 10.0.1.31:99 -r 10.0.1.6:99 -i -w 0 -x 100 -y 50"
            " --tun-type gue --tun-port 6080 --tun-csum\n"
        ),
        table(
            VirtualService(
                at(port=99, protocol=Protocol.SCTP),
                Scheduler.NQ,
                (
                    server(
                        port=99,
                        method=ForwardingMethod.TUN,
                        weight=0,
                        upper=100,
                        lower=50,
                        tunnel=Tunnel("gue", 6080, "csum"),
                    ),
                ),
            )
        ),
    ),
    "an empty table": ("", Table()),
}


@pytest.mark.parametrize(("text", "value"), SIMPLE_CASES.values(), ids=SIMPLE_CASES)
def test_a_table_is_read_and_written_alike(text, value):
    assert parse(text) == value
    assert render(value) == text


@pytest.mark.parametrize(
    "line",
    [
        "garbage",
        "-A -t 10.0.1.31:80",  # cut: a scheduler is always listed
        "-A -t 10.0.1.31:80 -s twos",
        "-A -t 10.0.1.31:80 -s rr --new-option 5",
        "-a -t 10.0.1.99:80 -r 10.0.1.6:80 -g -w 1",
        "-A -t 10.0.1.31: -s rr",
        "-a -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w",
        "-A -z 10.0.1.31:80 -s rr",
        "-a -t 10.0.1.32:80 -r 10.0.1.6:80 -g -w",  # cut in front of its weight
        "-a -t 10.0.1.32:80 -r 10.0.1.6:80 -g -w -1",
        "-a -t 10.0.1.32:80 -r 10.0.1.6:8_0 -g -w 1",
        "-A -t 10.0.1.32:٨٠ -s rr",
    ],
)
def test_a_line_that_is_not_understood_is_kept_word_for_word(line):
    known = "-A -t 10.0.1.32:80 -s rr\n"
    found = parse(known + line + "\n")
    assert found.unknown == (line,)
    assert at("10.0.1.32") in found.by_address


def test_a_last_line_without_its_end_is_not_taken_for_whole():
    text = "-A -t 10.0.1.31:80 -s rr\n-a -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w 1"
    found = parse(text)  # of 100?
    assert found.unknown == (text.splitlines()[1],)
    assert found.by_address[at()].servers == ()


def test_plain_tunnels_are_listed_with_a_type_that_nobody_wrote():
    text = (
        "-A -t 10.0.1.31:80 -s rr\n"
        "-a -t 10.0.1.31:80 -r 10.0.1.6:80 -i -w 1 --tun-type ipip\n"
    )
    plain = server(method=ForwardingMethod.TUN)
    assert parse(text) == table(service(servers=[plain]))


def test_edits_carry_the_whole_record_because_ipvsadm_resets_the_rest():
    rich = server(method=ForwardingMethod.NAT, weight=5, upper=9)
    key = at()
    assert rules.edit_server(key, rich) == (
        "-e -t 10.0.1.31:80 -r 10.0.1.6:80 -m -w 5 -x 9"
    )
    kept = service(scheduler=Scheduler.WRR, persistence=60)
    assert rules.edit_service(kept) == "-E -t 10.0.1.31:80 -s wrr -p 60"


def test_servers_compare_equal_in_any_order():
    one, two = server("10.0.1.6"), server("10.0.1.9")
    assert service(servers=(one, two)) == service(servers=(two, one))


ODD_LINES = st.sampled_from(
    [
        "",
        "garbage",
        "-A -t 10.0.1.31:53 -s twos",
        "  -A -t 10.0.1.31:53 -s rr",
        "-a -t 10.0.1.31:53 -r 10.0.1.6:53 -g -w 1",
        "-a -t 10.0.1.99:53 -r 10.0.1.6:53 -g -w 1\r",
        "-A -f 7 -s rr\x0b-A -f 1 -s rr",
    ]
)


@given(tables, st.lists(ODD_LINES, max_size=2), st.randoms(), st.sampled_from("\n!"))
def test_service_by_service_is_read_as_line_by_line(value, odd, chance, end):
    lines = render(value).splitlines() + odd
    if odd:
        chance.shuffle(lines)
    text = "\n".join(lines) + end
    assert parse(text) == rules._parse_lines(text)


def test_what_is_kept_with_a_service_is_never_that_of_another():
    one = service()
    assert "-s rr" in render(table(one))
    assert "-s wrr" in render(table(replace(one, scheduler=Scheduler.WRR)))
    assert one == service()
    assert hash(one) == hash(service())


def test_keys_that_differ_in_protocol_or_family_are_told_apart():
    keys = {at(protocol=one) for one in Protocol}
    keys |= {ServiceAddress.of_mark(7), ServiceAddress.of_mark(7, 6)}
    assert len(keys) == 5
