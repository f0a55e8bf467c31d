"""What of the live table goes over the wire: cells, a service, or all of it."""

from dataclasses import replace

import pytest

from cluster.live_show import Show
from cluster.numbers import DASH
from cluster.views.live_table import body_id, live_table, row_id
from cluster.views.look import Look
from cluster.watch.board import DRIFT, LISTED, UNKNOWN, Numbers, ServerLine, ServiceLine

KEY = "TCP 10.0.1.31:80"
PLAIN = Look()
WEB1 = ServerLine(
    "10.0.1.6:80",
    "web1",
    "DR",
    1,
    LISTED,
    Numbers(2, 71, (4.0, 24.0, 0.0, 1440.0, 0.0), blind=True, spark=(1.0, 2.0)),
)
WEB2 = WEB1._replace(at="10.0.1.9:80", name="web2")
ROW1 = row_id(f"{KEY} {WEB1.at}")


def line(*servers, key=KEY, **changes):
    values = {
        "key": key,
        "protocol": "TCP",
        "address": key.partition(" ")[2],
        "vip": "10.0.1.31",
        "scheduler": "rr",
        "persistence": 0,
        "persistent": False,
        "state": LISTED,
        "numbers": Numbers(4, 142, (8.0, 48.0, 0.0, 2880.0, 0.0)),
        "servers": servers,
    }
    return ServiceLine(**(values | changes))


def table(*lines, before=None, look=PLAIN, folded=False):
    return live_table(lines, look, folded, before)


def numbers(**changes):
    return WEB1._replace(numbers=WEB1.numbers._replace(**changes))


def test_nothing_new_is_nothing_sent():
    before = table(line(WEB1, WEB2))
    now = table(line(WEB1, WEB2), before=before)
    assert now.rows(before) == {}
    assert now.reshaped(before) == []


NEW = {
    "one number": ({"active": 3}, ["3", 0, 0, 0, 0, 0]),
    "a rate": ({"rates": (9.0, 0, 0, 1440.0, 0)}, [0, 0, "9/s", 0, 0, 0]),
    "a point of the sparkline": (
        {"spark": (1.0, 1.0, 2.0)},
        [0, 0, 0, 0, 0, "20 20 2"],
    ),
    "what cannot be seen has no number": ({"rates": (4.0, 0, 0, 1440.0, 7.0)}, None),
    "too little to be seen": ({"rates": (4.001, 0, 0, 1440.0, 0)}, None),
    "rates are not known any more": ({"rates": None}, [0, 0, DASH, DASH, 0, 0]),
}


@pytest.mark.parametrize(("changes", "cells"), NEW.values(), ids=NEW)
def test_only_cells_that_changed_are_sent(changes, cells):
    before = table(line(WEB1, WEB2))
    now = table(line(numbers(**changes), WEB2), before=before)
    assert now.rows(before) == ({ROW1: cells} if cells else {})
    assert now.reshaped(before) == []


def test_replies_that_are_seen_are_counted():
    seen = WEB1._replace(numbers=WEB1.numbers._replace(blind=False))
    assert table(line(seen)).rows()[ROW1][4] == "0 B/s"


RESHAPED = {
    "a weight": {"weight": 0},
    "a state": {"state": DRIFT},
    "a name": {"name": "other"},
    "a method": {"method": "TUN"},
    "replies are seen": {"numbers": WEB1.numbers._replace(blind=False)},
    "a threshold": {"numbers": WEB1.numbers._replace(limits=(9, 5))},
    "nothing is known": {"numbers": Numbers()},
    "no sparkline yet": {"numbers": WEB1.numbers._replace(spark=())},
}


@pytest.mark.parametrize("changes", RESHAPED.values(), ids=RESHAPED)
def test_anything_else_sends_the_service_as_html(changes):
    other = line(WEB1, key="TCP 10.0.1.32:80")
    before = table(line(WEB1, WEB2), other)
    now = table(line(WEB1._replace(**changes), WEB2), other, before=before)
    assert now.reshaped(before) == [body_id(KEY)]


def test_a_real_server_that_comes_or_goes_is_a_change_of_its_service():
    one, two = table(line(WEB1)), table(line(WEB1, WEB2))
    assert one.reshaped(two) == two.reshaped(one) == [body_id(KEY)]


def test_services_that_come_go_or_move_are_a_new_table():
    other = line(WEB1, key="TCP 10.0.1.32:80")
    one, two = table(line(WEB1)), table(line(WEB1), other)
    assert two.reshaped(one) is None
    assert one.reshaped(two) is None
    assert table(other, line(WEB1)).reshaped(two) is None


def test_a_folded_service_sends_its_own_row_alone():
    folded = table(line(WEB1, WEB2), folded=True)
    assert list(folded.rows()) == [row_id(KEY)]
    opened = table(line(WEB1, WEB2), folded=True, look=Look(opened=(KEY,)))
    assert len(opened.rows()) == 3
    assert opened.shape != folded.shape


def test_a_state_inside_a_folded_service_is_a_change_of_its_shape():
    before = table(line(WEB1, WEB2), folded=True)
    now = table(line(WEB1._replace(state=UNKNOWN), WEB2), folded=True, before=before)
    assert now.reshaped(before) == [body_id(KEY)]


def test_whoever_has_the_shape_gets_rows_and_everybody_else_the_table():
    shown = table(line(WEB1))
    show = Show(7, {"#live-top": "<p>"}, table=shown, whole="<table>")
    assert b'event: rows\ndata: {"target":"#live-table"' in show.everything(shown.shape)
    assert b'"html":"<table>"' in show.everything("")
    assert f"id: 7.{shown.shape}\n".encode() in show.everything("")
    # The id comes with the last event: a message that is cut off is sent again.
    assert show.everything("").rindex(b"id: ") > show.everything("").index(b"<p>")


def test_a_tick_without_news_is_a_sign_of_life():
    shown = table(line(WEB1))
    show = Show(7, {"#live-top": "<p>"}, table=shown)
    again = replace(show, number=8)
    assert (
        again.news(show) == f"id: 8.{shown.shape}\nevent: tick\ndata: null\n\n".encode()
    )
