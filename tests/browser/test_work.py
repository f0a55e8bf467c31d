"""What a person does when something is not as it should be: drift, keep, drain.

Each is clicked in a browser and looked up on the real hosts.
"""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.browser.shop import open_shop
from tests.lab.person import wait_until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]
DRIFT = "/clusters/lab/drift/"
WEB1 = "/clusters/lab/servers/10.0.1.6/"
APPLIED = "Applied and verified"
BY_HAND = "ipvsadm -e -t 10.0.1.31:80 -r 10.0.1.6:80 -g -w {}"


@pytest.fixture
def opened(shop):
    """The shop as it was opened, and so it is for the next test: their order is chance."""
    yield shop
    open_shop(shop, "li.wei")


def rule(lab, vip="10.0.1.31", rip="10.0.1.6"):
    """Return the weight that the kernel has, or "" when there is no such rule."""
    rules = lab.ssh("lb01", "ipvsadm -Sn")
    found = re.search(rf"-a -t {vip}:80 -r {rip}:80 -g -w (\d+)", rules)
    return found[1] if found else ""


def compare(visitor):
    visitor.go(DRIFT)
    visitor.page.get_by_role("button", name="Compare now").click()


def apply(page):
    button = page.get_by_role("button", name=re.compile("^Apply"))
    button.wait_for(timeout=90_000)
    button.click()
    expect(page.get_by_text(APPLIED)).to_be_visible(timeout=120_000)


@pytest.mark.long
def test_what_was_changed_by_hand_is_seen_and_repaired(visitor, opened, lab):
    compare(visitor)
    page = visitor.page
    expect(page.locator("#drift .state", has_text="in sync").first).to_be_visible(
        timeout=90_000
    )
    visitor.check("drift-none")
    lab.ssh("lb01", BY_HAND.format(9))
    compare(visitor)
    line = page.locator(".drift-lines li")
    expect(line).to_have_count(1, timeout=90_000)
    expect(line).to_contain_text("10.0.1.31:80")
    visitor.check("drift-one")
    page.set_viewport_size({"width": 390, "height": 844})
    visitor.check("drift-one-phone")
    page.set_viewport_size({"width": 1440, "height": 900})
    line.get_by_role("button", name="Repair", exact=True).click()
    expect(page.get_by_text("-w 3").first).to_be_visible(timeout=90_000)
    apply(page)
    assert rule(lab) == "3"


@pytest.mark.long
def test_what_was_changed_by_hand_is_adopted(visitor, opened, lab):
    lab.ssh("lb01", BY_HAND.format(5))
    compare(visitor)
    page = visitor.page
    line = page.locator(".drift-lines li")
    expect(line).to_have_count(1, timeout=90_000)
    line.get_by_role("button", name="Adopt").click()
    page.wait_for_load_state()
    wanted = "SELECT weight FROM cluster_realserver WHERE address = '10.0.1.6'"
    wait_until(lambda: (5,) in opened.rows(wanted), 30, "the draft has the weight")
    assert rule(lab) == "5"


def set_window(visitor, seconds):
    visitor.go("/clusters/lab/settings/")
    window = visitor.page.locator("#confirm-window")
    window.locator("input[type=number]").first.fill(str(seconds))
    window.get_by_role("button", name="Save").click()
    expect(visitor.page.get_by_text("Saved. It counts for plans")).to_be_visible()


@pytest.fixture
def window(visitor, opened):
    """Five minutes to say keep, as long as the test takes."""
    set_window(visitor, 300)
    yield
    set_window(visitor, 0)


@pytest.mark.long
def test_a_run_counts_down_and_is_kept(visitor, window, lab):
    page = visitor.page
    visitor.go(WEB1)
    form = page.locator("form", has=page.locator(".weight-rows"))
    form.locator(".weight-rows [name*=weight]").first.fill("7")
    form.get_by_role("button", name="Save and review").click()
    button = page.get_by_role("button", name=re.compile("^Apply"))
    button.wait_for(timeout=90_000)
    button.click()
    keep = page.get_by_role("button", name="Keep", exact=True)
    expect(keep).to_be_visible(timeout=120_000)
    timer = page.get_by_role("timer")
    first = timer.inner_text()
    expect(timer).not_to_have_text(first)
    visitor.check("run-confirming")
    keep.click()
    expect(page.get_by_text(APPLIED)).to_be_visible(timeout=120_000)


@pytest.mark.long
def test_a_drain_is_seen_on_the_live_page_and_taken_back(visitor, opened, lab):
    page = visitor.page
    visitor.go(WEB1)
    # web1 has most of the weight: the usual floor of 50 % would keep it.
    page.get_by_label("Floor, percent").fill("10")
    page.get_by_role("button", name=re.compile("^Drain")).click()
    page.wait_for_load_state()
    other = Visitor(page.context.new_page(), opened)
    other.go("/clusters/lab/")
    live = other.page
    card = live.locator(".drain-card")
    expect(card).to_contain_text("web1", timeout=60_000)
    expect(
        live.locator("#live-table tr.server", has_text="web1").locator(
            ".state", has_text="DRAINING"
        )
    ).to_have_count(3, timeout=120_000)
    assert rule(lab) == "0"
    other.check("live-draining")
    live.get_by_role("link", name=re.compile("bring back|Bring back|Decide")).click()
    live.get_by_role("button", name="Bring back").click()
    wait_until(lambda: rule(lab) == "3", 120, "web1 has its weight again")
    ended = "SELECT state FROM cluster_drain"
    wait_until(lambda: opened.rows(ended) == [("restored",)], 120, "the drain is over")
