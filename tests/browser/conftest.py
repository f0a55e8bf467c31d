"""A real Chromium in front of a real dashboard in front of the lab's real hosts."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.shop import open_shop
from tests.lab.person import PASSWORD, Dashboard
from tests.lab.running import Lab

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
SHOTS = Path(__file__).parent / "shots"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Milliseconds. The lab's hosts share two cores with the browser: patience, not sleep.
PATIENCE = 90_000
expect.set_options(timeout=PATIENCE)
VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation",
  (event) => window.violations.push(event.violatedDirective + " " + event.blockedURI));
"""


# For a module, not for the session: Playwright has an event loop in this thread as
# long as it is there, and Django refuses the database to whoever has one.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert program, "these tests need the package chromium (or CHROMIUM=/path)"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def dashboard(
    lab: Lab,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Dashboard]:
    lab.clean()
    found = Dashboard(tmp_path_factory.mktemp("dashboard"), lab)
    try:
        found.wait_for_facts()
        yield found
    finally:
        found.stop()


class Visitor:
    """One tab; it remembers everything that a console would complain about."""

    def __init__(self, page: Page, dashboard: Dashboard) -> None:
        self.page, self.dashboard = page, dashboard
        self.base = f"http://127.0.0.1:{dashboard.port}"
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.add_init_script(VIOLATIONS)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "response",
            lambda answer: (
                answer.status >= 500
                and self.complaints.append(f"{answer.status} {answer.url}")
            ),
        )

    def go(self, path: str) -> None:
        self.page.goto(self.base + path)

    def check(self, name: str) -> None:
        """Take a picture, and find nothing that axe, CSP or the layout objects to."""
        SHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
        assert self.page.evaluate("window.violations") == [], name
        assert self.complaints == [], name
        wide = "document.documentElement.scrollWidth - window.innerWidth"
        assert self.page.evaluate(wide) <= 0, f"{name} overflows"
        # Evaluated from outside: the page's own policy lets no script in.
        self.page.evaluate(AXE.read_text())
        # Of what passes axe would list every element, and that takes as long again.
        listed = "axe.run({resultTypes: ['violations']})"
        found = self.page.evaluate(listed)["violations"]
        serious = [
            f"{v['id']}: {node['html'][:120]}"
            for v in found
            if v["impact"] in ("serious", "critical")
            for node in v["nodes"]
        ]
        assert serious == [], name


@pytest.fixture(scope="module")
def logged_in(chromium: Browser, dashboard: Dashboard) -> dict[str, object]:
    """Use the set-up link once; return the cookies of the first administrator."""
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(dashboard.link)
    page.get_by_label("Your name").fill("li.wei")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password confirmation").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    page.wait_for_url(f"http://127.0.0.1:{dashboard.port}/")
    state = context.storage_state()
    context.close()
    return dict(state)


@pytest.fixture(scope="module")
def shop(
    dashboard: Dashboard, logged_in: dict[str, object], lab: Lab
) -> Iterator[Dashboard]:
    """Give a dashboard with three services in force, and traffic for them."""
    open_shop(dashboard, "li.wei")
    lab.must("traffic", "on")
    try:
        yield dashboard
    finally:
        lab.must("traffic", "off")


@pytest.fixture
def visitor(
    chromium: Browser, dashboard: Dashboard, logged_in: dict[str, object]
) -> Iterator[Visitor]:
    context = chromium.new_context(
        storage_state=logged_in,  # type: ignore[arg-type]
        viewport={"width": 1440, "height": 900},
    )
    yield Visitor(context.new_page(), dashboard)
    context.close()
