"""Run the events process: ``python -m piranha_web.events FD``.

FD is a listening socket that the supervisor opened. uvicorn's own ``--fd`` takes
every socket for a Unix one and so never sets TCP_NODELAY, which holds a small
frame back for up to 40 ms.
"""

import socket
import sys

import uvicorn
from django.conf import settings


def main(descriptor: int) -> None:
    """Serve the live streams on an inherited socket until a signal comes."""
    config = uvicorn.Config(
        "piranha_web.asgi:application",
        lifespan="off",
        log_config=settings.LOGGING,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.TRUSTED_PROXIES),
        forwarded_allow_ips=settings.TRUSTED_PROXIES,
        # An open stream never ends by itself: browsers come back on their own.
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    main(int(sys.argv[1]))
