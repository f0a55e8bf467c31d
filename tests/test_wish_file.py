"""Files of a wish: every bad one named, every good one taken, nothing lost."""

import json
import time
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from cluster import wish_file as text_of
from cluster.lvs import (
    file_writer,
    settings_check,
    settings_file,
    validate,
    wish_file,
)
from cluster.lvs.ipvs_sysctls import BY_NAME, CATALOGUE
from cluster.lvs.options import HASHING, Options
from cluster.lvs.settings import SyncRole, Timeouts
from cluster.lvs.table import RealServer, ServiceAddress, VirtualService
from cluster.lvs.terms import ForwardingMethod, Protocol, Scheduler
from cluster.lvs.validate import Surroundings
from cluster.lvs.wanted import Known, Refused, WantedCluster, WantedService
from cluster.wish_file import BadText, dump, parse
from tests.build import WEB1, WEB2, bound, director
from tests.wish_files import GOOD, NOTES
from tests.wish_meanings import BAD_MEANING
from tests.wish_shapes import BAD_SHAPE
from tests.wish_texts import BAD_TEXT

DOCS = Path(__file__).parent.parent / "docs"
SCHEMA = json.loads((DOCS / "cluster.schema.json").read_text())
SERVERS = {"web1": IPv4Address(WEB1), "web2": IPv4Address(WEB2)}
SIX = {"web1": IPv6Address("fd00:10:0:1::6"), "web2": IPv6Address("fd00:10:0:1::9")}
HOSTS = {name: (rip, SIX[name]) for name, rip in SERVERS.items()}
KNOWN = Known("lab", ("lb01",), HOSTS)
AROUND = Surroundings(
    "lb01",
    director(bound("fd00:10:0:1::3/64")).addresses,
    ((IPv4Address("10.0.1.3"), "lb01"), *((a, n) for n, a in SERVERS.items())),
)


BACKUP, MASTER = SyncRole.BACKUP, SyncRole.MASTER


def read(text, around=AROUND):
    return wish_file.read(parse(text.encode()).document, KNOWN, around)


def refusal(text):
    parsed = parse(text.encode())
    with pytest.raises(Refused) as caught:
        wish_file.read(parsed.document, KNOWN, AROUND)
    found = caught.value.problems
    return [(parsed.line_of(p.path), p.where, str(p.sentence)) for p in found]


def fits_schema(text):
    checker = jsonschema.Draft202012Validator(SCHEMA)
    return checker.is_valid(parse(text.encode()).document)


# -- the same documents for the reader and for the schema --


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", GOOD)
def test_a_good_file_is_taken_by_both(name):
    assert read(GOOD[name]).cluster == "lab"
    assert fits_schema(GOOD[name])


@pytest.mark.parametrize("name", BAD_SHAPE)
def test_a_bad_shape_is_refused_by_both(name):
    text, expected = BAD_SHAPE[name]
    assert refusal(text) == expected
    assert not fits_schema(text)


@pytest.mark.parametrize("name", BAD_MEANING)
def test_what_cannot_be_in_this_cluster_is_refused(name):
    text, expected = BAD_MEANING[name]
    assert refusal(text) == expected
    assert fits_schema(text)


@pytest.mark.parametrize("name", BAD_TEXT)
def test_a_text_that_is_no_document(name):
    content, line, message = BAD_TEXT[name]
    with pytest.raises(BadText) as caught:
        parse(content)
    assert (caught.value.line, str(caught.value)) == (line, message)


def test_the_schema_knows_the_same_words_and_limits():
    service = SCHEMA["$defs"]["service"]["properties"]
    server = SCHEMA["$defs"]["real_server"]["properties"]
    assert tuple(SCHEMA["properties"]) == wish_file.FILE_KEYS
    assert tuple(service) == wish_file.SERVICE_KEYS
    assert tuple(server) == wish_file.SERVER_KEYS
    assert service["protocol"]["enum"] == [p.value for p in validate.PROTOCOLS]
    assert service["scheduler"]["enum"] == [s.value for s in Scheduler]
    assert service["persistence_timeout"]["maximum"] == validate.PERSISTENCE[1]
    assert service["real_servers"]["maxItems"] == validate.MOST_SERVERS
    assert SCHEMA["properties"]["services"]["maxItems"] == wish_file.MOST_SERVICES
    netmask = service["persistence_netmask"]
    assert (netmask["minimum"], netmask["maximum"]) == validate.NETMASKS
    assert server["upper_threshold"]["maximum"] == validate.THRESHOLDS[1]
    assert server["lower_threshold"]["maximum"] == validate.THRESHOLDS[1]
    assert server["method"]["enum"] == [m.value for m in validate.METHODS]
    assert (server["weight"]["minimum"], server["weight"]["maximum"]) == (
        validate.WEIGHTS
    )


def test_the_schema_knows_the_same_settings():
    settings = SCHEMA["properties"]["settings"]["properties"]
    assert tuple(settings) == settings_file.KEYS
    assert tuple(settings["timeouts"]["properties"]) == settings_file.TIMEOUT_KEYS
    daemon = SCHEMA["$defs"]["sync_daemon"]["properties"]
    assert tuple(daemon) == settings_file.DAEMON_KEYS
    seconds = SCHEMA["$defs"]["timeout"]
    assert (seconds["minimum"], seconds["maximum"]) == settings_check.SECONDS
    sysctls = settings["sysctls"]["properties"]
    assert list(sysctls) == [*BY_NAME]
    for one in CATALOGUE:
        shape = sysctls[one.name]
        if one.choices:
            assert shape["enum"] == [int(value) for value, _label in one.choices]
        elif one.limits:
            assert (shape["minimum"], shape["maximum"]) == one.limits
        else:
            assert shape["type"] == "string"


SETTINGS = """\
cluster: lab
settings:
  timeouts:
    tcp: 600
    udp: 60
  sync_daemons:
  - director: lb01
    role: backup
    interface: eth0
    syncid: 3
    maxlen: 1400
  - director: lb01
    role: master
    interface: bond0.7
    syncid: 4
    group: 239.1.2.3
    port: 8900
    ttl: 4
  sysctls:
    expire_nodest_conn: 1
    sync_threshold: 1 10
services: []
"""


def test_settings_are_read_and_written():
    found = read(SETTINGS)
    assert found.settings.timeouts == Timeouts(600, None, 60)
    assert [d.role for _name, d in found.settings.daemons] == [BACKUP, MASTER]
    assert dump(file_writer.document(found, HOSTS)) == SETTINGS
    assert fits_schema(SETTINGS)


BAD_SETTINGS = {
    "tcp: 600": ("tcp: 0", "settings.timeouts.tcp"),
    "syncid: 3": ("syncid: 256", "settings.sync_daemons[0].syncid"),
    "maxlen: 1400": ("maxlen: 1000", "settings.sync_daemons[0].maxlen"),
    "role: master": ("role: backup", "settings.sync_daemons[1]"),
    "interface: eth0": ("interface: ETH0", "settings.sync_daemons[0].interface"),
    "group: 239.1.2.3": ("group: 10.0.1.1", "settings.sync_daemons[1].group"),
    "expire_nodest_conn: 1": (
        "expire_nodest_conn: 2",
        "settings.sysctls.expire_nodest_conn",
    ),
    "sync_threshold: 1 10": ("sync_threshold: 10", "settings.sysctls.sync_threshold"),
}


@pytest.mark.parametrize("good", BAD_SETTINGS)
def test_bad_settings_are_named(good):
    bad, place = BAD_SETTINGS[good]
    assert [where for _line, where, _why in refusal(SETTINGS.replace(good, bad))] == [
        place
    ]


def test_the_example_of_the_documentation_is_good():
    text = (DOCS / "files.md").read_text()
    example_text = text.split("```yaml\n")[1].split("```")[0]
    assert read(example_text).services
    assert fits_schema(example_text)


def test_all_problems_of_a_file_are_told_at_once():
    text = NOTES.replace("port: 80", "port: -1").replace("weight: 1", "weight: x")
    assert [line for line, _path, _why in refusal(text)] == [6, 10, 13]


# -- there and back --

FOURS = st.integers(10, 250).map(lambda n: IPv4Address(f"10.0.1.{n}"))
SIXES = st.integers(1, 20).map(lambda n: IPv6Address(f"fd00:10:0:1::{n}"))
ADDRESSES = st.one_of(FOURS, SIXES)


@st.composite
def services(draw, at):
    family = FOURS if at.family == 4 else SIXES
    rips = draw(st.lists(family, unique=True, max_size=4))
    full_nat = at.family == 4 and draw(st.booleans())
    methods = [ForwardingMethod.NAT] if full_nat else validate.METHODS
    servers = [
        RealServer(
            rip,
            at.port,
            draw(st.sampled_from(methods)),
            draw(WEIGHTS),
            *draw(st.sampled_from([(0, 0), (100, 0), (100, 50)])),
        )
        for rip in rips
    ]
    off = draw(st.sets(st.sampled_from(rips))) if rips else set()
    scheduler, lasting = (
        draw(st.sampled_from(Scheduler)),
        draw(st.integers(0, validate.PERSISTENCE[1])),
    )
    by_nat = any(server.method is ForwardingMethod.NAT for server in servers)
    chosen = Options(
        scheduler,
        hash_port=scheduler in HASHING and draw(st.booleans()),
        hash_fallback=scheduler in HASHING and draw(st.booleans()),
    )
    value = VirtualService(
        at,
        scheduler,
        tuple(servers),
        lasting,
        draw(st.sampled_from([None, 1, 24, 32])) if lasting else None,
        chosen.flags,
        one_packet=at.protocol is Protocol.UDP and not by_nat and draw(st.booleans()),
        source_nat=full_nat,
    )
    return WantedService(
        value,
        draw(NAMES),
        draw(st.booleans()),
        frozenset((rip, at.port) for rip in off),
    )


WEIGHTS = st.integers(*validate.WEIGHTS)
NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=64
)
KEYS = st.builds(
    ServiceAddress.of,
    st.sampled_from(validate.PROTOCOLS),
    ADDRESSES,
    st.integers(*validate.PORTS),
)
WANTED = st.builds(
    WantedCluster,
    st.just("lab"),
    st.sampled_from(["", "lb01"]),
    st.lists(KEYS, unique=True, max_size=4)
    .flatmap(lambda keys: st.tuples(*(services(key) for key in keys)))
    .map(tuple),
)


@given(WANTED)
def test_writing_and_reading_loses_nothing(wanted):
    document = file_writer.document(wanted, HOSTS)
    again = dump(document)
    assert parse(again.encode()).document == document
    # Without surroundings: an address drawn twice, as VIP and RIP, is no matter here.
    try:
        found = wish_file.read(document, KNOWN)
    except Refused as refused:
        assert all("VIP itself" in str(p) for p in refused.problems)  # noqa: PT017
        return
    assert found == wanted
    assert dump(file_writer.document(found, HOSTS)) == again
    assert jsonschema.Draft202012Validator(SCHEMA).is_valid(document)


@given(NAMES)
@example("no")
@example("1_000")
@example("22:22")
@example("~")
@example("!!str x")
@example("a: b # c")
@example("\N{NEXT LINE}\u2028\ufeff")
def test_any_text_survives(name):
    assert parse(dump({"name": name}).encode()).document == {"name": name}


@given(st.binary(max_size=200))
def test_garbage_is_refused_or_read_but_nothing_else(content):
    with suppress(BadText):
        assert parse(content).lines


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [*wish_file.SERVICE_KEYS, *wish_file.SERVER_KEYS, "services"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_a_document_of_any_shape_gets_an_answer_and_the_schema_agrees(inner):
    document = {"cluster": "lab", "services": inner}
    fits = jsonschema.Draft202012Validator(SCHEMA).is_valid(document)
    with suppress(Refused):
        wish_file.read(document, KNOWN)
        assert fits


def test_the_order_of_a_file_does_not_matter_and_its_export_is_sorted():
    document = parse(NOTES.encode()).document
    document["services"].append(
        {"protocol": "tcp", "vip": "10.0.1.30", "port": 80, "real_servers": []}
    )
    turned = {**document, "services": document["services"][::-1]}
    one, other = (wish_file.read(d, KNOWN, AROUND) for d in (document, turned))
    texts = {dump(file_writer.document(w, HOSTS)) for w in (one, other)}
    assert len(texts) == 1
    assert texts.pop().count("10.0.1.30") == 1


def test_the_notes_export_as_they_stand():
    assert dump(file_writer.document(read(NOTES), HOSTS)) == NOTES


def test_it_reads_the_same_with_the_slow_parser(monkeypatch):
    monkeypatch.setattr(text_of, "_PARSER", yaml.SafeLoader)
    assert read(NOTES) == wish_file.read(parse(NOTES.encode()).document, KNOWN, AROUND)
    with pytest.raises(BadText):
        parse(b"a: [\n")


def test_a_thousand_services_are_read_in_seconds():
    lines = [NOTES.split("- protocol")[0]]
    part = "- protocol" + NOTES.split("- protocol")[1]
    lines += [part.replace("port: 80", f"port: {n}") for n in range(1, 1001)]
    started = time.perf_counter()
    assert len(read("".join(lines)).services) == 1000
    assert time.perf_counter() - started < 20
