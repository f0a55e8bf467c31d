"""The lab for tests that need real hosts.

PIRANHA_TEST_LAB=skip leaves those tests out, and says so. PIRANHA_TEST_LAB=keep
leaves the lab running after the tests, so that the next run need not boot it.
PIRANHA_TEST_LAB_NAME and PIRANHA_TEST_LAB_PORTS give a second run a lab of its own;
with ``-n 2 --dist loadfile`` each of the two processes has one.
"""

import os

import pytest

from tests.lab.fixture import CHOICE
from tests.lab.running import Lab
from tests.lab.site import Site


@pytest.fixture
def site(lab: Lab, db: None) -> Site:
    """Give hosts without anything of ours; what a test leaves there, the next one that
    wants clean hosts takes off."""
    lab.clean()
    return Site(lab)


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    if os.environ.get(CHOICE) != "skip":
        return
    left_out = [item for item in items if item.get_closest_marker("lab")]
    items[:] = [item for item in items if not item.get_closest_marker("lab")]
    config.hook.pytest_deselected(items=left_out)
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter and left_out:
        reporter.write_line(f"{CHOICE}=skip: {len(left_out)} lab tests are left out")
