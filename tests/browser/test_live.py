"""The live pages in a browser, on real kernels with real traffic from the client.

With PIRANHA_PICTURES=1 (``make pictures``) it takes the pictures of the documentation.
"""

import itertools
import os
import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from cluster.numbers import DASH

pytestmark = [
    pytest.mark.browser,
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]
IMAGES = Path(__file__).parent.parent.parent / "docs" / "images"
LIVE = "/clusters/lab/"
GRAPHS = "/clusters/lab/graphs/"
# Counts what arrives, and tells a page from the same one loaded again.
COUNTING = """
window.updates = 0;
document.addEventListener("live:updated", () => { window.updates += 1; });
"""


# Points of the graph as the stream would have brought them: one that the page hears in
# time, whatever came before, and the next eight seconds later.
LATE_POINT = """async () => {
  const t = Math.floor(Date.now() / 2000) * 2 + 2;
  for (const late of [0, 8]) {
    const detail = { graph: "#graph", t: t + late, values: [1, 1] };
    document.dispatchEvent(new CustomEvent("live:point", { detail }));
    await new Promise(requestAnimationFrame);
  }
}"""


@pytest.fixture
def page(visitor, shop):
    """Open the live page, once there is traffic to see."""
    page = visitor.page
    page.add_init_script(COUNTING)
    visitor.go(LIVE)
    expect(page.locator("[data-live-state=live]")).to_be_visible()
    expect(cell(page, "10.0.1.31", "Conns/s")).to_have_text(re.compile(r"[1-9].*/s"))
    return page


def row(page, words):
    return page.locator("#live-table tr", has_text=words).first


def cell(page, words, column):
    return row(page, words).locator(f"[data-label='{column}']")


def texts(page, selector):
    return [text.strip() for text in page.locator(selector).all_text_contents()]


def after_updates(page, count):
    """Wait for so many parts of the page that were brought up to date."""
    # Not wait_for_function: the page's own policy lets nobody evaluate a text.
    wanted, end = page.evaluate("window.updates") + count, time.monotonic() + 180
    while page.evaluate("window.updates") < wanted:
        assert time.monotonic() < end, "nothing arrives"
        page.wait_for_timeout(250)


def changes(page, selector):
    """Wait until one of the texts is another one."""
    before = texts(page, selector)
    end = time.monotonic() + 90
    while texts(page, selector) == before:
        assert time.monotonic() < end, f"{selector} does not change: {before}"
        page.wait_for_timeout(250)


def test_numbers_move_in_the_table_and_on_the_lines(visitor, page):
    for selector in ("#live-table td.num", ".topo-rate", "#live-panel .kpi"):
        changes(page, selector)
    # Direct routing: what the director cannot see is never a zero.
    seen = {text.strip() for text in texts(page, "#live-table [data-label='Out']")}
    assert seen == {"not seen"}
    assert page.locator(".topo-return").count() == 1
    expect(page.locator("[data-age]").first).to_have_text(
        re.compile(r"updated \d s ago")
    )
    visitor.check("live-traffic")


def order_of(page):
    return page.locator("#live-table tr.service th").all_inner_texts()


def test_sorting_and_filtering_hold_while_numbers_come(visitor, page):
    head = page.locator("th[data-sort=name]")
    head.get_by_role("button").press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    names = order_of(page)
    assert names == sorted(names, reverse=True)
    after_updates(page, 4)
    assert order_of(page) == names
    # The button still has the focus, though rows were moved and written.
    assert page.evaluate("document.activeElement.closest('th')?.dataset.sort") == "name"

    page.keyboard.press("/")
    page.keyboard.type("10.0.1.32")
    find = page.locator("[data-find-in]")
    expect(page.locator("[data-found]")).to_have_text("1 of 3 virtual services")
    after_updates(page, 4)
    assert page.evaluate("document.activeElement.matches('[data-find-in]')")
    assert find.input_value() == "10.0.1.32"
    expect(page.locator("#live-table tr.service:visible")).to_have_count(1)
    expect(page.locator("#live-table tr.server:visible")).to_have_count(2)

    # All of it is in the address, so it is still there for whoever gets the link.
    assert "sort=-name" in page.url
    assert "q=10.0.1.32" in page.url
    page.get_by_role("link", name="Totals").click()
    expect(page.locator("[data-find-in]")).to_have_value("10.0.1.32")
    expect(page.locator("#live-table tr.service:visible")).to_have_count(1)
    assert page.locator("th[data-sort=name]").get_attribute("aria-sort") == "descending"
    page.locator("[data-find-in]").fill("")
    page.locator("[data-state-in]").select_option("DRIFT")
    expect(page.locator("[data-found]")).to_have_text("0 of 3 virtual services")
    visitor.check("live-filtered")


def test_numbers_are_sorted_as_numbers(page):
    page.locator("th[data-sort=inactive]").get_by_role("button").click()
    after_updates(page, 2)
    cells = "#live-table tr.service [data-label=Inactive]"
    # Read at one moment: the next tick may bring another order.
    found = page.evaluate(
        f'[...document.querySelectorAll("{cells}")].map((c) => c.textContent)'
    )
    numbers = [int(text.replace(",", "")) for text in found]
    assert numbers == sorted(numbers, reverse=True)


def test_a_selected_text_and_what_was_opened_stay(page):
    selected = "getSelection().toString()"
    row(page, "10.0.1.32").locator("th a").select_text()
    page.evaluate("document.querySelector('details.me, header details').open = true")
    before = page.evaluate(selected)
    assert before == "10.0.1.32:80"
    page.wait_for_timeout(7000)
    assert page.evaluate(selected) == before
    assert page.evaluate("document.querySelector('details.me, header details').open")
    # What came meanwhile is there as soon as the text is let go.
    page.evaluate("getSelection().removeAllRanges()")
    changes(page, "#live-table td.num")


def test_a_pause_holds_everything(page):
    page.get_by_role("button", name="Pause the live numbers").click()
    expect(page.locator("[data-live-state=paused]")).to_be_visible()
    before = texts(page, "#live-table td.num")
    page.wait_for_timeout(7000)
    assert texts(page, "#live-table td.num") == before
    assert not page.locator("[data-stale]").count()
    page.get_by_role("button", name="Pause the live numbers").click()
    changes(page, "#live-table td.num")
    expect(page.locator("[data-live-state=live]")).to_be_visible()


def test_a_silence_breaks_the_line_until_the_history_says_what_was(page):
    """It was this page that did not look: the director has been counted all the time."""
    graph = page.locator("[data-graph]").first
    graph.locator("summary").click()
    expect(graph.locator("canvas")).to_be_visible()
    page.get_by_role("button", name="Pause the live numbers").click()
    expect(page.locator("[data-live-state=paused]")).to_be_visible()
    history = graph.get_attribute("data-graph")
    with page.expect_response(lambda answer: answer.url.endswith(history)) as loaded:
        page.evaluate(LATE_POINT)
        assert actives(graph)[:3] == ["1", DASH, "1"]
    loaded.value.finished()
    page.wait_for_timeout(1000)
    # The newest moments are not written yet; before them nothing is missing.
    known = list(itertools.dropwhile(DASH.__eq__, actives(graph)))
    assert DASH not in known[:5]


def actives(graph):
    """Return the active connections of the graph's table, which is written when opened."""
    for _twice in range(2):
        graph.locator("summary").click()
    return graph.locator("[data-graph-table] tbody td:nth-child(3)").all_inner_texts()


def test_graphs_show_the_traffic_zoom_and_go_back(visitor, shop):
    page = visitor.page
    visitor.go(f"{GRAPHS}?range=5m")
    chart = page.locator("canvas").first
    expect(chart).to_be_visible()
    expect(page.locator("[data-live-state=live]")).to_be_visible()
    box = chart.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.6, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, middle, steps=5)
    page.mouse.up()
    page.wait_for_url(re.compile("from=|start="))
    visitor.check("graphs-zoomed")
    page.go_back()
    page.wait_for_url(re.compile("range=5m"))


@pytest.mark.long
def test_a_director_that_is_off_is_not_drawn_as_up_and_comes_back(visitor, page, lab):
    lab.power("lb01", "off")
    expect(page.get_by_text("No numbers from lb01")).to_be_visible()
    assert set(texts(page, "#live-table .state")) == {"UNKNOWN"}
    assert page.locator(".topo-flow").count() == 0
    assert not [text for text in texts(page, ".topo-state") if text == "ACTIVE"]
    numbers = set(texts(page, "#live-table td.num[data-n]"))
    assert numbers == {"\N{EN DASH}"}
    visitor.check("live-director-off")
    lab.power("lb01", "on")
    expect(page.get_by_text("No numbers from lb01")).to_be_hidden(timeout=200_000)
    expect(cell(page, "10.0.1.31", "Conns/s")).to_have_text(
        re.compile(r"[1-9].*/s"), timeout=200_000
    )


@pytest.mark.long
def test_a_stream_that_breaks_is_told_and_comes_back(page, shop):
    shop.kill("events")
    expect(page.locator("[data-live-state=reconnecting]")).to_be_visible()
    expect(page.locator("[data-live-state=live]")).to_be_visible()
    changes(page, "#live-table td.num")


PICTURES = {
    "live": (LIVE, "light", (1440, 1580)),
    "live-dark": (LIVE, "dark", (1440, 1010)),
    "live-phone": (LIVE, "light", (390, 844)),
    "graphs": (f"{GRAPHS}?range=5m", "light", (1440, 900)),
}


def take_pictures(visitor, shop):
    page = visitor.page
    visitor.go(LIVE)
    # So long for the lines to be lines; five minutes would fill those of the graphs.
    page.wait_for_timeout(180_000)
    for name, (path, theme, (width, height)) in PICTURES.items():
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": height})
        visitor.go(path)
        expect(page.locator("[data-live-state=live]")).to_be_visible()
        page.wait_for_timeout(5000)
        page.screenshot(path=IMAGES / f"{name}.png")
        assert (IMAGES / f"{name}.png").stat().st_size < 300_000


if os.environ.get("PIRANHA_PICTURES"):
    test_pictures_for_the_documentation = pytest.mark.timeout(900)(take_pictures)
