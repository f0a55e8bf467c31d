"""A live table that is longer than the screen: what is seen is always new."""

import subprocess
import sys

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.fixture
def busy():
    """Run a dashboard of 40 services of 5; yield its address, a cookie and a page."""
    words = [sys.executable, "-m", "tests.browser.large"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield next(line.split()[1:] for line in process.stdout if line[:5] == "ready")
        process.stdin.close()
        process.wait(30)


@pytest.fixture
def page(chromium, busy):
    base, cookie, path = busy
    name, _, value = cookie.partition("=")
    context = chromium.new_context(viewport={"width": 1300, "height": 800})
    context.add_cookies([{"name": name, "value": value, "url": base}])
    page = context.new_page()
    page.goto(base + path)
    expect(page.locator('[data-live-state="live"]')).to_be_visible()
    yield page
    context.close()


def test_a_long_vip_is_written_out_where_its_field_cuts_it_off(page, busy):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{busy[0]}/clusters/busy/services/new/")
    vip, below = page.locator("input[name='address']"), page.locator(".chosen-address")
    vip.fill("10.0.1.31")
    expect(below).to_have_count(0)
    vip.fill("2001:db8:1234:5678:9abc:def0:1234:5631")
    expect(below).to_have_text("2001:db8:1234:5678:9abc:def0:1234:5631")


def row(page, which):
    """Return the numbers of one of all rows of real servers, as they stand there."""
    cells = page.locator("#live-table tr.server").nth(which).locator("[data-n]")
    return cells.all_text_contents()[1:4]


def wait_for_news(page, which):
    before = row(page, which)
    for _ in range(300):
        if row(page, which) != before:
            return
        page.wait_for_timeout(100)
    pytest.fail("no new numbers came")


def test_rows_out_of_view_wait_and_are_right_when_they_are_seen(page):
    assert page.locator("#live-table tr.server").count() == 200
    for _ in range(3):
        wait_for_news(page, 0)
    waits = row(page, -1)
    wait_for_news(page, 0)
    wait_for_news(page, 0)
    assert row(page, -1) == waits
    page.locator("#live-table tr.server").last.scroll_into_view_if_needed()
    wait_for_news(page, -1)
    wait_for_news(page, -1)


def numbers(page):
    """Return what all rows of real servers say, by their ids."""
    rows = page.locator("#live-table tr.server").evaluate_all(
        "rows => rows.map(row => [row.id, row.innerText])"
    )
    return dict(rows)


@pytest.mark.parametrize("sorts", [False, True])
def test_sorting_needs_the_rows_that_wait(page, sorts):
    if sorts:
        page.locator("th[data-sort=inactive] button").click()
    for _ in range(3):
        wait_for_news(page, 0)
    before = numbers(page)
    wait_for_news(page, 0)
    wait_for_news(page, 0)
    same = sum(text == before[name] for name, text in numbers(page).items())
    assert same < 10 if sorts else same > 100
