"""The settings of the product, with two pages more: what the streams are compared with."""

from piranha_web.settings import *  # noqa: F403

ROOT_URLCONF = "bench.live_urls"
