"""A person searches the connections of a real director, and looks away."""

import re

import pytest
from playwright.sync_api import expect

from tests.lab.person import wait_until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]
# Nobody answers behind this VIP: the kernel keeps each attempt for a minute.
SERVICE = "10.0.1.77:80"
BUILD = (
    "ip addr add 10.0.1.77/24 dev eth0;"
    " ipvsadm -A -t 10.0.1.77:80 -s rr -p 300;"
    " ipvsadm -a -t 10.0.1.77:80 -r 10.0.1.6:80 -g"
)
TAKE_DOWN = "ipvsadm -D -t 10.0.1.77:80; ip addr del 10.0.1.77/24 dev eth0"
HIDE = """
Object.defineProperty(document, "hidden", {configurable: true, get: () => true});
document.dispatchEvent(new Event("visibilitychange"));
"""


@pytest.fixture
def busy(lab):
    lab.clean()
    lab.ssh("lb01", BUILD)
    yield
    lab.ssh("lb01", TAKE_DOWN)


def test_connections_are_searched_and_not_asked_for_when_nobody_looks(
    visitor, lab, busy
):
    page = visitor.page
    ask = "curl -sm 5 http://10.0.1.77/ &"
    lab.ssh("client", f"{ask} {ask} {ask} wait")
    visitor.go(f"/clusters/lab/connections/?service={SERVICE}")
    expect(page.get_by_text("Showing 3 of 3 connections")).to_be_visible()
    expect(page.get_by_role("cell", name="SYN_RECV").first).to_be_visible()
    visitor.check("connections")

    page.get_by_role("link", name=re.compile("^Persistence templates 1")).click()
    expect(page.get_by_role("rowheader", name="10.0.1.100")).to_be_visible()
    visitor.check("connections-templates")

    page.get_by_label("Client or network").fill("10.0.9.0/24")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("Nothing matches")).to_be_visible()
    page.get_by_label("Client or network").fill("10.0.9.0/99")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("is no network")).to_be_visible()
    visitor.check("connections-wrong")

    page.set_viewport_size({"width": 390, "height": 844})
    # A template stays for 5 minutes, the attempts may be gone by now. Those of other
    # services may be from before: of this client there can be any number.
    visitor.go(f"/clusters/lab/connections/?service={SERVICE}&kind=templates")
    expect(page.get_by_text("Showing 1 of 1 templates")).to_be_visible()
    visitor.check("connections-phone")

    asked = []
    page.on("request", lambda r: "/connections/now/" in r.url and asked.append(r.url))
    wait_until(lambda: asked or page.wait_for_timeout(250), 90, "it asks again")
    page.evaluate(HIDE)
    page.wait_for_timeout(1_000)  # what is under way
    asked.clear()
    page.wait_for_timeout(6_000)
    assert asked == []
