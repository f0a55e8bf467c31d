"""A dashboard with more rows than a screen has: ``python -m tests.browser.large``.

Prints address, cookie and page, then ticks every 2 s until its standard input ends.
"""

from __future__ import annotations

import select
import sys

from bench.live_site import SLUG, site
from cluster.lvs.frame import PERIOD


def main() -> None:
    with site(services=40) as busy:
        tick = 1
        busy.publish(tick)
        (cookie,) = busy.cookies(1)
        base = f"http://127.0.0.1:{busy.port}"
        print("ready", base, cookie, f"/clusters/{SLUG}/?open=all", flush=True)
        while not select.select([sys.stdin], [], [], PERIOD)[0]:
            tick += 1
            busy.publish(tick)


if __name__ == "__main__":
    main()
