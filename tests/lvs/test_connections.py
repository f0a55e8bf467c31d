"""The question about connections: filtered and counted by a real shell and a real awk."""

import subprocess
from collections import Counter
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.lvs.addresses import Wrong
from cluster.lvs.connection_words import read_client, read_place, read_service
from cluster.lvs.connections import (
    LINES,
    Filter,
    Kind,
    Unreadable,
    parse,
    question,
)
from cluster.lvs.terms import Protocol

HEAD = (
    "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
)
SIX = "2001:0db8:0000:0000:0000:0000:0000:0"
# As ip_vs_conn_seq_show() of the kernel prints them.
TABLE = HEAD + (
    "TCP 0A000164 C3D2 0A00011F 0050 0A000106 0050 ESTABLISHED     899\n"
    "TCP 0A000165 0E12 0A00011F 0050 0A000109 0050 FIN_WAIT        118\n"
    "TCP 0A000264 C3D4 0A00011F 01BB 0A000106 01BB ESTABLISHED       9\n"
    "TCP 0A000164 0000 0A00011F 01BB 0A000106 01BB NONE            350\n"
    "UDP 0A000164 1F90 0A00011F 0035 0A000109 0035 UDP             299\n"
    "UDP 0A000164 0000 0A00011F 13C4 0A000109 13C4 ASSURED         299 sip 7@10.0.1.100\n"
    "IP  0A000100 0000 00000007 0000 0A000106 0000 NONE             60\n"
    f"TCP {SIX}100 C3D2 {SIX}031 0050 {SIX}006 0050 ESTABLISHED     899\n"
)
ALL = Filter()


@pytest.fixture
def ask(tmp_path):
    def run(wanted=ALL, text=TABLE, seconds=20.0):
        file = tmp_path / "ip_vs_conn"
        file.write_text(text)
        command = question(wanted, str(file), seconds)
        done = subprocess.run(
            command.argv, input=command.stdin, capture_output=True, check=True
        )
        assert done.stderr == b""
        return parse(done.stdout.decode())

    return run


def test_what_is_in_the_table(ask):
    found = ask()
    assert (found.read, found.connections, found.templates) == (8, 5, 3)
    assert not found.capped
    assert found.loaded
    first = found.entries[0]
    assert first.client == "10.0.1.100:50130"
    assert first.virtual == "10.0.1.31:80"
    assert first.server == "10.0.1.6:80"
    assert (first.state, first.expires) == ("ESTABLISHED", 899)
    assert found.entries[-1].client == "[2001:db8::100]:50130"
    assert found.states == (("ESTABLISHED", 3), ("FIN_WAIT", 1), ("UDP", 1))
    assert found.services[0] == ("TCP 10.0.1.31:80", 2)
    assert ("10.0.1.6:443", 1) in found.servers
    assert found.clients[0] == ("10.0.1.100", 2)


def test_templates_are_apart(ask):
    found = ask(Filter(kind=Kind.TEMPLATES))
    assert (found.connections, found.templates) == (5, 3)
    assert [entry.state for entry in found.entries] == ["NONE", "ASSURED", "NONE"]
    assert found.entries[1].more == "sip 7@10.0.1.100"
    assert found.entries[2].virtual == "mark 7"


@pytest.mark.parametrize(
    ("wanted", "clients"),
    [
        (Filter(client=ip_network("10.0.1.100")), ["50130", "8080"]),
        (Filter(client=ip_network("10.0.1.0/24")), ["50130", "3602", "8080"]),
        (Filter(client=ip_network("10.0.0.0/15")), ["50130", "3602", "50132", "8080"]),
        (Filter(client=ip_network("2001:db8::/64")), ["50130"]),
        (Filter(client=ip_network("2001:db9::/64")), []),
        (Filter(virtual=ip_address("10.0.1.31"), virtual_port=443), ["50132"]),
        (Filter(virtual=ip_address("2001:db8::31")), ["50130"]),
        (Filter(protocol=Protocol.UDP), ["8080"]),
        (Filter(protocol=Protocol.SCTP), []),
        (Filter(server=ip_address("10.0.1.9")), ["3602", "8080"]),
        (Filter(server=ip_address("10.0.1.9"), server_port=53), ["8080"]),
        (Filter(server_port=0), []),
        (Filter(state="FIN_WAIT"), ["3602"]),
        (Filter(state="FIN_WAIT", protocol=Protocol.UDP), []),
    ],
)
def test_what_is_asked_for_is_found(ask, wanted, clients):
    found = ask(wanted)
    assert [e.client.rpartition(":")[2] for e in found.entries] == clients
    assert found.connections == len(clients)


def test_hexadecimal_that_looks_like_a_number_is_text(ask):
    """0E000001 and 000E0000 are both numbers to awk, and they are zero."""
    line = "TCP 0E000001 C3D2 0E000002 0050 0A000106 0050 ESTABLISHED 899\n"
    found = ask(Filter(client=ip_network("14.0.0.3")), HEAD + line)
    assert found.connections == 0
    found = ask(Filter(client=ip_network("14.0.0.1")), HEAD + line)
    assert found.connections == 1
    found = ask(Filter(virtual=ip_address("14.0.0.3")), HEAD + line)
    assert found.connections == 0


def test_a_line_that_is_not_understood_hides_no_other(ask):
    odd = "TCP 0A00016X C3D2 0A00011F 0050 0A000106 0050 ESTABLISHED 899\n"
    found = ask(text=TABLE + odd + "TCP 0A000164 C3D2 0A00011F\n")
    assert found.strange == 2
    assert len(found.entries) == 5


def test_a_kernel_without_ip_vs(tmp_path):
    command = question(ALL, str(tmp_path / "nothing"))
    done = subprocess.run(command.argv, input=command.stdin, capture_output=True)
    assert not parse(done.stdout.decode()).loaded


def test_nothing_in_the_table(ask):
    found = ask(text=HEAD)
    assert (found.loaded, found.read, found.entries) == (True, 0, ())


def line(number, client=0x0A000001, state="ESTABLISHED"):
    return (
        f"TCP {client:08X} {number % 64000 + 1000:04X} 0A00011F 0050"
        f" 0A000106 0050 {state:<11} 899\n"
    )


def test_few_lines_travel_and_all_are_counted(ask):
    found = ask(text=HEAD + "".join(line(n) for n in range(5 * LINES)))
    assert len(found.entries) == LINES
    assert found.connections == 5 * LINES


def test_the_time_is_up_before_the_end(tmp_path):
    """A table that never ends, like one that grows while it is read."""
    fifo = tmp_path / "endless"
    subprocess.run(["mkfifo", str(fifo)], check=True)
    writer = subprocess.Popen(
        ["sh", "-c", 'yes "$1" >"$2"', "sh", line(1).rstrip("\n"), str(fifo)],
        stderr=subprocess.DEVNULL,
    )
    command = question(ALL, str(fifo), 0.5)
    done = subprocess.run(
        command.argv, input=command.stdin, capture_output=True, timeout=30
    )
    writer.wait(10)
    found = parse(done.stdout.decode())
    assert found.capped
    assert found.read > 0
    assert len(found.entries) <= LINES


@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["A", "B"])), max_size=80)
)
@settings(max_examples=15, deadline=None)
def test_the_largest_come_first_and_none_is_missed(tmp_path_factory, rows):
    text = HEAD + "".join(line(1, client=c + 1, state=s) for c, s in rows)
    file = tmp_path_factory.mktemp("top") / "ip_vs_conn"
    file.write_text(text)
    command = question(ALL, str(file), 20)
    done = subprocess.run(command.argv, input=command.stdin, capture_output=True)
    found = parse(done.stdout.decode())
    clients = Counter(c for c, _state in rows)
    most = sorted(clients.values(), reverse=True)[:10]
    assert [number for _name, number in found.clients] == most
    for name, number in found.clients:
        assert clients[int(ip_address(name)) - 1] == number
    assert dict(found.states) == dict(Counter(s for _c, s in rows))


def test_what_is_not_an_answer_is_refused():
    for text in ("", "TCP 1 2", "#end 127 0 0 0 0 0", "#end", "#none\n#end x"):
        with pytest.raises(Unreadable):
            parse(text)


FILTERS = st.builds(
    Filter,
    kind=st.sampled_from(Kind),
    protocol=st.none() | st.sampled_from(Protocol),
    client=st.none() | st.ip_addresses().map(ip_network),
    virtual=st.none() | st.ip_addresses(),
    virtual_port=st.none() | st.integers(0, 65535),
    server=st.none() | st.ip_addresses(),
    server_port=st.none() | st.integers(0, 65535),
    state=st.sampled_from(["", "ESTABLISHED", "C-SENT", "BUG!"]),
)


@given(FILTERS)
def test_a_filter_is_the_same_again(wanted):
    assert Filter.from_json(wanted.as_json()) == wanted


@pytest.mark.parametrize(
    "data",
    [
        {"state": "$(reboot)"},
        {"state": "A B"},
        {"virtual_port": 70000},
        {"virtual": "'; reboot"},
        {"kind": "all"},
        {"what": 1},
    ],
)
def test_nothing_else_is_a_filter(data):
    with pytest.raises(ValueError, match=r"."):
        Filter.from_json(data)


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (read_client, " 10.0.1.100 ", ip_network("10.0.1.100")),
        (read_client, "10.0.1.77/24", ip_network("10.0.1.0/24")),
        (read_client, "2001:db8::/64", ip_network("2001:db8::/64")),
        (read_place, "10.0.1.6", (ip_address("10.0.1.6"), None)),
        (read_place, "10.0.1.6:80", (ip_address("10.0.1.6"), 80)),
        (read_place, "[2001:db8::6]:80", (ip_address("2001:db8::6"), 80)),
        (read_place, "2001:db8::6", (ip_address("2001:db8::6"), None)),
        (
            read_service,
            "TCP 10.0.1.31:80",
            (Protocol.TCP, ip_address("10.0.1.31"), 80),
        ),
        (read_service, "10.0.1.31", (None, ip_address("10.0.1.31"), None)),
        (
            read_service,
            "udp 10.0.1.31:0",
            (Protocol.UDP, ip_address("10.0.1.31"), None),
        ),
    ],
)
def test_what_people_type(read, text, value):
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text", "why"),
    [
        (read_client, "10.0.1.0/33", "no network"),
        (read_client, "10.0.1.300", "300"),
        (read_place, "10.0.1.6:99999", "65535"),
        (read_place, "web1:http", "no address"),
        (read_service, "ICMP 10.0.1.31", "no protocol"),
        (read_service, "FWM 7", "no protocol"),
    ],
)
def test_what_is_refused_says_why(read, text, why):
    with pytest.raises(Wrong, match=why):
        read(text)
