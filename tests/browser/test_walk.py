"""What a person does on the first day, by clicking only, on real kernels."""

import re
from itertools import pairwise

import pytest
from playwright.sync_api import expect

from tests.build import at

pytestmark = [
    pytest.mark.browser,
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]
URL = "http://10.0.1.31/"
APPLIED = "Applied and verified"
SIZES = {"wide": (1520, 950), "laptop": (1280, 800), "phone": (390, 844)}


def new_service(visitor, vip):
    page = visitor.page
    visitor.go("/clusters/lab/")
    page.get_by_role("link", name="virtual service").first.click()
    page.get_by_label("VIP", exact=True).fill(vip)
    page.get_by_label("VIP", exact=True).press("Tab")
    return page


def apply(page, *, type_name=False):
    page.get_by_role("button", name=re.compile("^Apply")).wait_for()
    if type_name:
        page.locator("[name=confirm]").fill("lab")
    page.get_by_role("button", name=re.compile("^Apply")).click()
    expect(page.get_by_text(APPLIED)).to_be_visible(timeout=180_000)


def test_a_service_is_made_seen_and_deleted_by_clicking_only(visitor, lab):
    page = new_service(visitor, "10.0.1.31")
    expect(page.get_by_text("nobody on the LAN answers")).to_be_visible()
    page.get_by_label("Scheduler").select_option("rr")
    page.locator("[name=servers-0-host]").select_option(label=re_option(page, "web1"))
    page.locator("[name=servers-1-host]").select_option(label=re_option(page, "web2"))
    visitor.check("form")
    page.get_by_role("button", name="Save and review").last.click()
    page.get_by_role("button", name=re.compile("^Apply")).wait_for()
    expect(page.get_by_text("-A -t 10.0.1.31:80 -s rr").first).to_be_visible()
    visitor.check("review")
    apply(page)
    visitor.check("applied")

    answers = lab.ssh("client", f"for i in $(seq 8); do curl -s {URL}; done").split()
    assert all(one != two for one, two in pairwise(answers)), answers
    assert set(answers) == {"web1", "web2"}
    log = lab.ssh("web1", "tail -n 1 /var/log/nginx/access.log")
    assert log.startswith("10.0.1.100 ")

    page.get_by_role("link", name="Watch the connections live").click()
    same_counters(visitor, lab)
    visitor.check("live")

    visitor.go("/clusters/lab/services/")
    visitor.check("services")
    page.get_by_role("link", name=re.compile("10.0.1.31:80")).first.click()
    page.locator("[name=confirm]").fill("10.0.1.31")
    page.get_by_role("button", name=re.compile("^Delete")).click()
    page.get_by_role("button", name=re.compile("Review")).first.click()
    apply(page, type_name=True)
    assert "10.0.1.31" not in lab.ssh("lb01", "ipvsadm -Sn; ip addr")
    visitor.go("/audit/?words=10.0.1.31")
    expect(page.get_by_text("ipvsadm -R").first).to_be_visible()
    visitor.check("audit")


def services(visitor):
    return visitor.dashboard.rows("SELECT id, address FROM cluster_virtualservice")


def re_option(page, name):
    options = page.locator("[name=servers-0-host] option").all_inner_texts()
    return next(text for text in options if name in text)


def same_counters(visitor, lab):
    """The page shows what ``ipvsadm --stats --exact`` says, without a reload."""
    visitor.go("/clusters/lab/?numbers=totals")
    stats = lab.stats_at_rest()
    conns = stats[at(), ""].conns
    assert conns == 8
    table = visitor.page.locator("#live-table")
    for total in (conns, stats[at(), ""].in_packets, stats[at(), ""].in_bytes):
        expect(table).to_contain_text(f"{total:,}")


def test_an_address_that_is_in_use_is_refused_beside_the_field(visitor):
    before = services(visitor)
    page = new_service(visitor, "10.0.1.250")  # the router answers for it
    page.locator("[name=name]").fill("a name that must not be lost")
    page.get_by_role("button", name="Save and review").last.click()
    expect(page.get_by_text("10.0.1.250 is in use on the LAN").first).to_be_visible()
    assert page.locator("[name=name]").input_value() == "a name that must not be lost"
    visitor.check("taken")
    assert services(visitor) == before


WRONG = {
    "the address of a real server": ({"address": "10.0.1.6"}, "web1's own address"),
    "an address of no LAN": ({"address": "192.0.2.1"}, "in no network of lb01"),
    "words for an address": ({"address": "$(reboot)"}, "is no IP address"),
    "a port that DR cannot have": (
        {"address": "10.0.1.40", "servers-0-port": "8080"},
        "Direct routing cannot change the port",
    ),
    "a port of nowhere": ({"address": "10.0.1.40", "port": "70000"}, "65535"),
    "a weight below nothing": (
        {"address": "10.0.1.40", "servers-0-weight": "-1"},
        "65535",
    ),
}


@pytest.mark.parametrize(("fields", "words"), WRONG.values(), ids=WRONG)
def test_wrong_input_is_refused_beside_the_field_and_kept(visitor, fields, words):
    before = services(visitor)
    page = new_service(visitor, "10.0.1.40")
    page.locator("[name=servers-0-host]").select_option(label=re_option(page, "web1"))
    for name, text in fields.items():
        page.locator(f"[name={name}]").fill(text)
    page.get_by_role("button", name="Save and review").last.click()
    expect(page.get_by_text(words).first).to_be_visible()
    for name, text in fields.items():
        assert page.locator(f"[name={name}]").input_value() == text
    assert "/services/new/" in page.url
    assert services(visitor) == before


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_every_page_is_readable_everywhere(visitor, theme, size):
    width, height = SIZES[size]
    visitor.page.set_viewport_size({"width": width, "height": height})
    visitor.page.emulate_media(color_scheme=theme)
    (run,) = visitor.dashboard.rows("SELECT max(id) FROM cluster_run")[0]
    (host,) = visitor.dashboard.rows("SELECT min(id) FROM cluster_host")[0]
    pages = {
        "overview": "/",
        "cluster": "/clusters/lab/",
        "graphs": "/clusters/lab/graphs/",
        "settings": "/clusters/lab/settings/",
        "redundancy": "/clusters/lab/redundancy/",
        "drift": "/clusters/lab/drift/",
        "server": "/clusters/lab/servers/10.0.1.6/",
        "services": "/clusters/lab/services/",
        "service-new": "/clusters/lab/services/new/",
        "history": "/clusters/lab/history/",
        "run": f"/runs/{run}/" if run else "/clusters/lab/history/",
        "hosts": "/hosts/",
        "host": f"/hosts/{host}/",
        "host-new": "/hosts/new/",
        "audit": "/audit/",
        "password": "/password/",
    }
    for name, path in pages.items():
        visitor.go(path)
        visitor.check(f"{name}-{theme}-{size}")


def test_a_page_works_by_keyboard(visitor):
    page = visitor.page
    visitor.go("/clusters/lab/")
    page.keyboard.press("Tab")
    focused = "document.activeElement.innerText"
    assert page.evaluate(focused) == "Skip to the content"
    page.keyboard.press("Enter")
    seen = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.innerText.trim()"))
    assert {"Virtual services", "History"} <= seen
