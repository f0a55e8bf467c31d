"""The streams in a real events process, with the real broker, over real sockets."""

import http.client
import json
import socket
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from cluster.lvs.rates import Rates
from cluster.models import Host, Reading, User
from cluster.views.live_table import row_id
from cluster.watch import store
from cluster.watch.packing import pack
from cluster.watch.store import News
from tests.hosts import make_cluster, make_host
from tests.watch.build import KEY, WEB1, sample

pytestmark = pytest.mark.slow
PATH = "/events/clusters/shop/"
KEY_AT = KEY.split()[1]


@pytest.fixture
def served(process_environment):
    """Run the events process; yield its number and its port."""
    store.client().flushdb()
    listener = socket.create_server(("127.0.0.1", 0))
    words = [sys.executable, "-m", "piranha_web.events", str(listener.fileno())]
    process = subprocess.Popen(
        words,
        # Static files as they lie in the repository: nobody has collected them here.
        env=process_environment | {"PIRANHA_DEBUG": "1"},
        pass_fds=[listener.fileno()],
    )
    port = listener.getsockname()[1]
    listener.close()
    yield process.pid, port
    process.terminate()
    process.wait(10)


@pytest.fixture
def events(served):
    _process, port = served
    return port


@pytest.fixture
def li(transactional_db):
    return User.objects.create_user("li.wei", password="a long password of li.wei")


@pytest.fixture
def lb01(transactional_db):
    cluster = make_cluster("shop")
    director = make_host("lb01", cluster=cluster, role=Host.Role.DIRECTOR)
    cluster.director = director
    cluster.save()
    return director


def cookie_of(user):
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


class Listener:
    """A browser's EventSource, as far as these tests need one."""

    def __init__(self, port, cookie="", path=PATH, **headers):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        if cookie:
            headers["Cookie"] = f"{settings.SESSION_COOKIE_NAME}={cookie}"
        self.connection.request("GET", path, headers=headers)
        self.response = self.connection.getresponse()

    @property
    def status(self):
        return self.response.status

    def event(self):
        """Return the next event as a dict of its fields."""
        fields = {}
        while True:
            line = self.response.readline().decode()
            if not line:
                return None
            if line == "\n" and fields:
                return fields
            name, _, value = line.rstrip("\n").partition(": ")
            if name:
                fields[name] = value

    def wait_for(self, true):
        while (event := self.event()) is not None:
            if true(event):
                return event
        pytest.fail("the stream has ended")

    def close(self):
        self.response.close()
        self.connection.close()


@pytest.fixture
def listen(events):
    listeners = []

    def start(*args, **headers):
        listeners.append(Listener(events, *args, **headers))
        return listeners[-1]

    yield start
    for listener in listeners:
        listener.close()


def test_an_open_stream_costs_no_thread_and_no_connection_to_the_database(
    served, listen, transactional_db, lb01
):
    people = [User.objects.create_user(f"person{n}") for n in range(6)]
    place = Path(f"/proc/{served[0]}")

    def used(*streams):
        assert [stream.event() for stream in streams] == [{"retry": "3000"}] * 4
        threads, files = list(place.glob("task/*")), list(place.glob("fd/*"))
        return len(threads), len(files)

    cookies = [cookie_of(person) for person in people]
    before, *_, after = [
        used(*[listen(cookie) for _ in range(4)]) for cookie in cookies
    ]
    assert after[0] <= before[0] + 1
    # The 20 sockets, and no two files each.
    assert after[1] - before[1] < 30


def test_what_is_published_reaches_a_browser(listen, li, lb01):
    stream = listen(cookie_of(li))
    assert stream.status == 200
    assert stream.response.headers["Content-Type"].startswith("text/event-stream")
    assert stream.event() == {"retry": "3000"}
    store.publish([News(lb01.pk, lb01.cluster_id, sample(time.time()))])
    event = stream.wait_for(lambda e: KEY.split()[1] in e.get("data", ""))
    assert event["event"] == "html"
    data = json.loads(event["data"])
    assert data["target"] in ("#live-panel", "#live-table")


def test_after_the_whole_only_new_cells_come(listen, li, lb01):
    stream = listen(cookie_of(li))
    show = sample(time.time())
    store.publish([News(lb01.pk, lb01.cluster_id, show)])
    stream.wait_for(lambda e: "live-table" in e.get("data", "") and KEY_AT in e["data"])
    rates = show.rates | {WEB1: Rates(9.0, 24.0, 0.0, 1440.0, 0.0)}
    busier = sample(time.time(), rates=rates)
    store.publish([News(lb01.pk, lb01.cluster_id, busier)])
    event = stream.wait_for(lambda e: e.get("event") == "rows")
    # One cell of one row: active, inactive, conns/s, in, out, sparkline.
    assert json.loads(event["data"]) == {
        "target": "#live-table",
        "rows": {row_id(WEB1): [0, 0, "9/s", 0, 0, 0]},
    }


def test_whoever_comes_back_with_the_same_table_gets_its_numbers_only(listen, li, lb01):
    cookie = cookie_of(li)
    first = listen(cookie)
    store.publish([News(lb01.pk, lb01.cluster_id, sample(time.time()))])
    seen = first.wait_for(lambda e: e.get("event") == "point")["id"]
    for again in (
        listen(cookie, **{"Last-Event-ID": seen}),
        listen(cookie, f"{PATH}?last_event_id={seen}"),
    ):
        event = again.wait_for(lambda e: "#live-table" in e.get("data", ""))
        assert event["event"] == "rows"
        assert json.loads(event["data"])["rows"][row_id(WEB1)][:3] == ["2", "71", "4/s"]
    # What the address says is older than what the browser has seen since.
    other = listen(cookie, f"{PATH}?last_event_id={seen}", **{"Last-Event-ID": "9.x"})
    event = other.wait_for(lambda e: "#live-table" in e.get("data", ""))
    assert event["event"] == "html"


def test_points_for_the_graph_come_with_it(listen, li, lb01):
    stream = listen(cookie_of(li))
    store.publish([News(lb01.pk, lb01.cluster_id, sample(time.time()))])
    point = stream.wait_for(lambda e: e.get("event") == "point")
    data = json.loads(point["data"])
    assert data["graph"] == "#graph"
    assert data["values"] == [4.0, 3]
    assert data["t"] == pytest.approx(time.time(), abs=5)


def test_points_of_the_graphs_page_come_by_a_stream_of_its_own(listen, li, lb01):
    data = pack(sample(time.time()))
    Reading.objects.create(director=lb01, at=time.time(), data=data)
    assert listen("", f"{PATH}graphs/").status == 401
    stream = listen(cookie_of(li), f"{PATH}graphs/?range=5m")
    store.publish([News(lb01.pk, lb01.cluster_id, sample(time.time()))])
    point = json.loads(stream.wait_for(lambda e: e.get("event") == "point")["data"])
    assert point["graph"] == "#graphs"
    assert point["charts"]["active"] == {"Active connections": 3.0}
    assert point["charts"]["packets"]["out"] is None


def test_a_stranger_gets_no_stream_and_no_redirect(listen, lb01):
    assert listen().status == 401
    assert listen("forged-session").status == 401


def test_a_cluster_that_is_not_there(listen, li):
    assert listen(cookie_of(li), "/events/clusters/nope/").status == 404


def test_only_our_own_pages_may_read_it(listen, li, lb01, process_environment):
    cookie = cookie_of(li)
    assert listen(cookie, Origin="http://evil.example").status == 403
    own = f"http://127.0.0.1:{settings.WEB_PORT}"
    headers = listen(cookie, Origin=own).response.headers
    assert headers["Access-Control-Allow-Origin"] == own
    assert headers["Access-Control-Allow-Credentials"] == "true"


def test_a_person_has_four_streams(listen, li, lb01):
    cookie = cookie_of(li)
    streams = [listen(cookie) for _ in range(4)]
    for stream in streams:
        assert stream.event() == {"retry": "3000"}
        stream.wait_for(lambda e: "data" in e)  # it has joined
    assert listen(cookie).status == 429
    streams[0].close()
    deadline = time.monotonic() + 10
    while (again := listen(cookie)).status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert again.event() == {"retry": "3000"}


def test_a_stream_ends_soon_after_the_log_out(listen, li, lb01):
    cookie = cookie_of(li)
    stream = listen(cookie)
    assert stream.event() == {"retry": "3000"}
    import_module(settings.SESSION_ENGINE).SessionStore(cookie).delete()
    begin = time.monotonic()
    while stream.event() is not None:
        assert time.monotonic() - begin < 30
    assert listen(cookie).status == 401


def test_the_web_process_has_no_streams(client, li, lb01):
    from piranha_web.wsgi import application

    answered = []
    environ = {"PATH_INFO": PATH, "REQUEST_METHOD": "GET"}
    application(environ, lambda status, _headers: answered.append(status))
    assert answered == ["404 Not Found"]
