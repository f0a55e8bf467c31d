"""What the picture says of a real server that is in several services."""

import pytest
from django.template.loader import render_to_string

from cluster.views.picture import DirectorNode, picture
from cluster.watch.board import DISABLED, DRIFT, FOREIGN, LISTED, UNKNOWN, Numbers
from tests.views.test_live_table import WEB1, line

NODE = DirectorNode("lb01", "10.0.1.3", "ACTIVE", ("10.0.1.31",))


def drawn(*servers):
    lines = [
        line(server, key=f"TCP 10.0.1.{31 + n}:80") for n, server in enumerate(servers)
    ]
    found = picture([NODE], 0, lines)
    assert found is not None
    return found.servers[0]


WORDS = {
    (LISTED, LISTED): "ACTIVE",
    (LISTED, DRIFT): "DRIFT",
    (LISTED, FOREIGN): "ACTIVE",
    (FOREIGN,): "NOT OURS",
    (UNKNOWN, UNKNOWN): "UNKNOWN",
    (DISABLED, LISTED): "DISABLED",
    (DISABLED, DRIFT, LISTED): "DRIFT",
}


@pytest.mark.parametrize(("states", "word"), WORDS.items())
def test_the_worst_state_of_what_is_ours(states, word):
    servers = [WEB1._replace(state=state) for state in states]
    assert drawn(*servers).word == word


def test_weights_that_differ_are_all_told():
    servers = [WEB1._replace(weight=weight) for weight in (3, 1, 3)]
    assert drawn(*servers).weight == "weights 3, 1"
    assert drawn(WEB1).weight == "weight 1"
    many = [WEB1._replace(weight=weight) for weight in range(5)]
    assert drawn(*many).weight == "several weights"


def test_a_long_address_is_made_to_fit_its_card():
    address = "2001:db8:1234:5678:9abc:def0:1234:5603"
    for node, fitted in ((NODE, False), (NODE._replace(address=address), True)):
        found = picture([node], 0, [])
        text = render_to_string("cluster/_picture.svg.html", {"picture": found})
        assert ('textLength="228"' in text) == fitted


@pytest.mark.parametrize(
    ("name", "shown", "squeezed"),
    [
        ("web1", "web1", False),
        ("web1.shop.example", "web1.shop.example", False),
        ("web1.shop.europe.example", "web1.shop.europe.example", True),
        ("web1.shop.europe.north.example", "web1.shop.europe.north.exa…", True),
    ],
)
def test_a_long_name_is_made_to_fit_beside_its_state(name, shown, squeezed):
    found = drawn(WEB1._replace(name=name)).name
    assert found.text == shown
    assert (found.length is not None) == squeezed
    whole = name if shown != name else ""
    assert found.whole == whole
    lines = [line(WEB1._replace(name=name))]
    text = render_to_string(
        "cluster/_picture.svg.html", {"picture": picture([NODE], 0, lines)}
    )
    assert (f"<title>{whole}</title>" in text) == bool(whole)


def test_a_long_vip_stays_in_its_pill():
    vips = ("10.0.1.31", "2001:db8:1234:5678:9abc:def0:1234:5678")
    short, long = picture([NODE._replace(vips=vips)], 0, []).directors[0].pills
    assert short[1].length is None
    assert long[1].length < long[0].width
    assert [pill.text for _box, pill in (short, long)] == list(vips)


def test_what_is_not_known_has_no_number():
    unknown = WEB1._replace(numbers=Numbers(), weight=None)
    assert drawn(unknown).rate == "\N{EN DASH}"
