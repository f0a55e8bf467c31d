"""The figures and the picture: what moves is sent as cells, the rest as HTML."""

import re
import time

import pytest

from cluster.lvs.settings import Timeouts
from cluster.views import live_page
from cluster.views.live_panel import DRAWING, FACTS, FIGURES, live_panel
from cluster.views.look import Look
from cluster.watch import store
from cluster.watch.seldom import Seldom
from cluster.watch.store import News
from tests.watch.build import KEY, WEB1, sample


@pytest.fixture(autouse=True)
def _empty_store():
    store.client().flushdb()


def shown(lab, **changes):
    news = sample(time.time(), **changes)
    store.publish([News(lab.hosts["lb01"].pk, lab.cluster.pk, news)])
    live = live_page.load(lab.cluster)
    context = live_page.context_of(live, Look())
    return live_panel(live, Look()), live_page.region("panel", context)


def busier():
    rates = sample().rates
    rates[WEB1] = rates[KEY] = rates[KEY]._replace(conns=9.0)
    return rates


def test_a_busier_line_is_a_few_cells(lab):
    lab.add_service()
    lab.keep_revision()
    before, _html = shown(lab)
    now, _html = shown(lab, rates=busier())
    assert now.shape == before.shape
    news = now.news(before)
    assert news[DRAWING][:3] == [0, "9/s", 0]
    assert now.news(now) == {}


def cut(html):
    """Return what belongs to figures, drawing and facts."""
    first, second, third = (html.index(f'id="{n}"') for n in (FIGURES, DRAWING, FACTS))
    return html[first:second], html[second:third], html[third:]


def test_cells_are_as_many_and_the_same_as_in_the_html(lab):
    """The browser writes them by their order: page and stream must agree."""
    lab.add_service()
    lab.keep_revision()
    panel, html = shown(lab)
    parts = dict(zip((FIGURES, DRAWING, FACTS), cut(html), strict=True))
    drawing = parts[DRAWING]
    for name, part in parts.items():
        assert part.count("data-n") == len(panel.rows[name]) > 0
    texts = re.findall(r"<(?:path|text)\s+data-n[^>]*>([^<]*)", drawing)
    for cell, text in zip(panel.rows[DRAWING], texts, strict=True):
        assert text.strip() in ("", cell)  # a line has a width, and no text


def test_a_vip_that_goes_is_another_picture(lab):
    lab.add_service()
    before, _html = shown(lab)
    now, _html = shown(lab, addresses=("10.0.1.3",))
    assert now.shape != before.shape


def test_connections_and_the_time_that_listing_takes_are_cells(lab):
    lab.add_service()
    before, html = shown(lab, listing=(1.24, 12.0))
    facts = before.rows[FACTS]
    assert facts[0] == "104 connections in its table"
    assert all(f"<span data-n>{part}</span>" in html for part in facts)
    now, _html = shown(lab, listing=(1.5, 14.0))
    assert now.shape == before.shape
    assert "every 14 s: ipvsadm takes 1.50 s" in now.news(before)[FACTS][1]
    fast, _html = shown(lab)
    assert fast.news(before)[FACTS] == [0, ""]


def test_other_timeouts_are_another_panel(lab):
    lab.add_service()
    before, _html = shown(lab)
    now, _html = shown(lab, seldom=Seldom({}, Timeouts(900, 120, 300), ()))
    assert now.shape != before.shape
