"""A file becomes the wish: all of it or nothing, judged as in the form."""

import io
from ipaddress import ip_address

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster import draft
from cluster.audit import Actor
from cluster.lvs.wanted import Refused
from cluster.management.wish import document_of, load
from cluster.models import AuditEvent, RealServer, VirtualService
from cluster.wish_file import dump, parse
from tests.build import WEB1, WEB2, bound, director
from tests.wish_files import NOTES
from tests.wish_meanings import BAD_MEANING
from tests.wish_shapes import BAD_SHAPE
from tests.wish_texts import BAD_TEXT


@pytest.fixture
def lab(cluster_of_notes):
    host = cluster_of_notes.host("lb01")
    host.facts = {"state": director(bound("fd00:10:0:1::3/64")).as_json()}
    host.save()
    return cluster_of_notes


@pytest.fixture
def load_text(lab, run_command, tmp_path):
    path = tmp_path / "lab.yaml"

    def load_it(content, *options):
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return run_command("load_cluster", "lab", path, *options)

    return load_it


def wanted(lab):
    return dump(document_of(lab.cluster))


def test_the_notes_become_the_wish(lab, load_text):
    done = load_text(NOTES)
    assert done.exit == 0
    assert done.out.splitlines() == [
        (
            "Add virtual service TCP 10.0.1.31:80, round robin; with web1 (10.0.1.6:80,"
            " weight 1, Direct routing); with web2 (10.0.1.9:80, weight 1, Direct routing)"
        ),
        "Loaded. Nothing is sent before you plan and apply.",
    ]
    assert wanted(lab) == NOTES
    assert [vip.address for vip in lab.cluster.vips.all()] == ["10.0.1.31"]
    hosts = RealServer.objects.values_list("host__name", flat=True)
    assert list(hosts) == ["web1", "web2"]
    assert lab.writes() == []


def test_it_is_audited_as_the_account_and_the_user_of_the_machine(lab, load_text):
    load_text(NOTES, "--as", "li.wei")
    event = AuditEvent.objects.get()
    assert (event.actor, event.action, event.object) == (
        "li.wei",
        "changed",
        "lab.yaml",
    )
    assert event.address.startswith("shell of ")
    assert event.text.startswith("Load lab.yaml: Add virtual service TCP 10.0.1.31:80")


def test_loading_again_changes_nothing_and_says_so(lab, load_text):
    load_text(NOTES)
    rows = list(RealServer.objects.values())
    done = load_text(NOTES)
    assert done.out == "The cluster wants all of this already.\n"
    assert AuditEvent.objects.count() == 1
    assert list(RealServer.objects.values()) == rows


def test_rows_that_stay_keep_their_place(lab, load_text):
    kept = lab.want()
    lab.want(vip="10.0.1.32")
    done = load_text(NOTES.replace("weight: 1", "weight: 3", 1), "--json")
    assert done.data["changes"] == [
        "Change TCP 10.0.1.31:80: weight of web1 1 → 3",
        (
            "Delete virtual service TCP 10.0.1.32:80, round robin; with web1"
            " (10.0.1.6:80, weight 1, Direct routing); with web2 (10.0.1.9:80, weight 1,"
            " Direct routing)"
        ),
    ]
    assert VirtualService.objects.get() == kept


def test_a_name_alone_is_a_change_too(lab, load_text):
    lab.want()
    done = load_text(NOTES.replace("scheduler: rr", "scheduler: rr\n  name: shop"))
    assert done.out.startswith("names and notes, and what is switched off\n")
    assert VirtualService.objects.get().name == "shop"
    assert AuditEvent.objects.count() == 1


def test_the_director_can_be_moved(lab, load_text):
    web1 = lab.host("web1")
    lab.cluster.hosts.create(
        name="lb02",
        role="director",
        address="10.0.1.5",
        ssh_address="10.0.1.5",
        credential=web1.credential,
    )
    done = load_text(NOTES.replace("lb01", "lb02"))
    assert done.out.startswith("active director lb01 → lb02\n")
    lab.cluster.refresh_from_db()
    assert lab.cluster.director.name == "lb02"


def test_standard_input_is_read(lab, run_command, monkeypatch):
    stdin = io.TextIOWrapper(io.BytesIO(NOTES.encode()))
    monkeypatch.setattr("sys.stdin", stdin)
    assert run_command("load_cluster", "lab", "-").exit == 0
    assert wanted(lab) == NOTES


ODD = {
    "real_servers: []": "TCP 10.0.1.31:80 has no real server: it will refuse every"
    " connection.",
    "real_servers: [{host: web1, weight: 0}]": "TCP 10.0.1.31:80 takes no new"
    " connection: all weights are 0.",
    "real_servers: [{address: 10.0.1.50}]": "10.0.1.50 is no host of this cluster:"
    " set up the VIP on it by hand.",
}


@pytest.mark.parametrize("line", ODD)
def test_what_is_allowed_and_may_surprise_is_said(lab, load_text, line):
    text = (
        "cluster: lab\nservices:\n"
        f"- {{protocol: tcp, vip: 10.0.1.31, port: 80, {line}}}\n"
    )
    done = load_text(text, "--json")
    assert (done.exit, done.data["messages"]) == (0, [ODD[line]])
    assert done.err == ODD[line] + "\n"


# -- refusals --


@pytest.mark.parametrize("name", [*BAD_SHAPE, *BAD_MEANING])
def test_a_bad_file_leaves_everything_as_it_was(lab, load_text, name):
    lab.want()
    for host, address6 in (("web1", "fd00:10:0:1::6"), ("web2", "fd00:10:0:1::9")):
        lab.cluster.hosts.filter(name=host).update(address6=address6)
    text, expected = (BAD_SHAPE | BAD_MEANING)[name]
    done = load_text(text, "--json")
    assert done.exit == 4
    assert done.data["problems"] == [
        {"line": line, "path": path, "message": message}
        for line, path, message in expected
    ]
    assert wanted(lab) == NOTES
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("name", BAD_TEXT)
def test_a_bad_text_is_refused_with_its_line(lab, load_text, name):
    content, line, message = BAD_TEXT[name]
    done = load_text(content, "--json")
    assert done.exit == 4
    assert done.data["problems"] == [{"line": line, "path": "", "message": message}]


def test_people_read_file_line_field_and_reason(lab, load_text, tmp_path):
    done = load_text(NOTES.replace("weight: 1", "weight: x", 1))
    assert done.exit == 4
    assert done.err.splitlines() == [
        (
            f"{tmp_path}/lab.yaml:10: services[0].real_servers[0].weight: “x” is no whole"
            " number. Write 0 to 65535."
        ),
        "Nothing was loaded.",
    ]


def test_a_service_made_by_hand_on_the_director_is_refused(lab, load_text):
    from tests.build import service

    host = lab.host("lb01")
    host.facts = {"state": director(services=(service(),)).as_json()}
    host.save()
    done = load_text(NOTES, "--json")
    assert done.data["problems"][0]["message"] == (
        "lb01 already has TCP 10.0.1.31:80, made by hand. Choose another address or"
        " port, or delete it there first."
    )


def test_a_file_that_is_not_there_is_an_error(lab, run_command):
    done = run_command("load_cluster", "lab", "no.yaml")
    assert (done.exit, done.err) == (
        1,
        "no.yaml cannot be read: No such file or directory.\n",
    )


PEOPLE = {
    "": "Say who does this: --as USERNAME, or PIRANHA_USER=USERNAME.",
    "nobody": "There is no active account “nobody”.",
    "gone": "There is no active account “gone”.",
    "bo": "This needs the role operator; bo has the role viewer.",
}


@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.parametrize("command", ["load_cluster", "plan", "apply"])
def test_only_an_operator_may(lab, run_command, monkeypatch, command, name):
    monkeypatch.setenv("PIRANHA_USER", name)
    more = ("lab.yaml",) if command == "load_cluster" else ()
    done = run_command(command, "lab", *more, "--json")
    assert (done.exit, done.data["messages"]) == (1, [PEOPLE[name]])
    assert lab.shells == {}


# -- there and back through the rows --


@st.composite
def lines(draw, place):
    line = {**place, "weight": draw(st.integers(0, 65535)), "method": "dr"}
    return line if draw(st.booleans()) else {**line, "enabled": False}


@st.composite
def documents(draw):
    services = []
    for port in sorted(draw(st.sets(st.integers(1, 65535), max_size=3))):
        servers = [
            draw(lines({"host": name}))
            for name in sorted(draw(st.sets(st.sampled_from(["web1", "web2"]))))
        ]
        if draw(st.booleans()):
            servers.append(draw(lines({"address": "10.0.1.50"})))
        service = {
            "protocol": "tcp",
            "vip": "10.0.1.31",
            "port": port,
            "scheduler": draw(st.sampled_from(["rr", "wlc", "mh"])),
        }
        if timeout := draw(st.integers(0, 1000)):
            service["persistence_timeout"] = timeout
        if name := draw(st.text("ab 店\u2028\t", max_size=5)):
            service["name"] = name
        if draw(st.booleans()):
            service["enabled"] = False
        services.append({**service, "real_servers": servers})
    return {"cluster": "lab", "director": "lb01", "services": services}


@pytest.mark.slow
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(documents())
def test_loading_and_exporting_loses_nothing(lab, document):
    """From whatever the last example left to exactly this one."""
    text = dump(document)
    load(lab.cluster, parse(text.encode()).document, "lab.yaml", Actor("li.wei"))
    lab.cluster.refresh_from_db()
    assert dump(document_of(lab.cluster)) == text


def test_an_error_in_the_middle_of_writing_changes_nothing(lab, monkeypatch):
    def fail(*_words, **_fields):
        raise OSError("the audit log is full")

    lab.want(vip="10.0.1.32")
    before = wanted(lab)
    monkeypatch.setattr("cluster.audit.append", fail)
    with pytest.raises(OSError, match="full"):
        load(lab.cluster, parse(NOTES.encode()).document, "x", Actor("li.wei"))
    assert wanted(lab) == before


def test_a_wish_keeps_names_and_what_is_off(lab):
    service = lab.want()
    service.name = "shop"
    service.save()
    service.servers.filter(address=WEB2).update(enabled=False)
    off = lab.want(vip="10.0.1.32")
    off.enabled = False
    off.save()
    wish = lab.cluster.wish()
    service.servers.filter(address=WEB1).update(weight=9)
    lab.want(vip="10.0.1.33")
    draft.load(lab.cluster, wish)
    assert lab.cluster.wish() == wish
    rows = {s.address: s for s in lab.cluster.services.all()}
    assert {a: s.name for a, s in rows.items()} == {
        "10.0.1.31": "shop",
        "10.0.1.32": "",
    }
    assert [s.enabled for s in rows["10.0.1.31"].servers.all()] == [True, False]
    assert ip_address(WEB1) in draft.names(lab.cluster)


@pytest.mark.slow
def test_many_changes_fit_into_the_log(lab):
    part = (
        "- {{protocol: tcp, vip: 10.0.1.31, port: {0}, real_servers: [{{host: web1}}]}}"
    )
    lines = ["cluster: lab", "services:", *(part.format(n) for n in range(1, 1001))]
    document = parse("\n".join(lines).encode()).document
    load(lab.cluster, document, "x" * 300, Actor("li.wei"))
    assert AuditEvent.objects.get().text.split("\n")[0].endswith("and 980 more")
    with pytest.raises(Refused):
        load(lab.cluster, {**document, "cluster": "no"}, "x", Actor("li.wei"))
