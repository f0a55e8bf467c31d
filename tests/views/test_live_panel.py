"""The figures and the picture: what moves is sent as cells, the rest as HTML."""

import re
import time

import pytest

from cluster.views import live_page
from cluster.views.live_panel import DRAWING, FIGURES, live_panel
from cluster.views.look import Look
from cluster.watch import store
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
    panel = live_panel(context["kpis"], context["picture"], Look())
    return panel, live_page.region("panel", context)


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


def test_cells_are_as_many_and_the_same_as_in_the_html(lab):
    """The browser writes them by their order: page and stream must agree."""
    lab.add_service()
    lab.keep_revision()
    panel, html = shown(lab)
    drawing = html[html.index(f'id="{DRAWING}"') :]
    figures = html[html.index(f'id="{FIGURES}"') : html.index("</section>")]
    figures = figures[: figures.index(f'id="{DRAWING}"')]
    assert drawing.count("data-n") == len(panel.rows[DRAWING])
    assert figures.count("data-n") == len(panel.rows[FIGURES])
    texts = re.findall(r"<(?:path|text)\s+data-n[^>]*>([^<]*)", drawing)
    for cell, text in zip(panel.rows[DRAWING], texts, strict=True):
        assert text.strip() in ("", cell)  # a line has a width, and no text


def test_a_vip_that_goes_is_another_picture(lab):
    lab.add_service()
    before, _html = shown(lab)
    now, _html = shown(lab, addresses=("10.0.1.3",))
    assert now.shape != before.shape
