"""Three services on the lab, written as a file and applied by the commands."""

from __future__ import annotations

from tests.lab.person import Dashboard

# VIP -> name, scheduler, weight of web1 and of web2
SERVICES = {
    "10.0.1.31": ("shop", "wrr", 3, 1),
    "10.0.1.32": ("api", "wlc", 1, 1),
    "10.0.1.33": ("images", "sh", 2, 1),
}


def document() -> str:
    lines = ["cluster: lab", "director: lb01", "services:"]
    for vip, (name, scheduler, web1, web2) in SERVICES.items():
        lines += [
            "- protocol: tcp",
            f"  vip: {vip}",
            "  port: 80",
            f"  scheduler: {scheduler}",
            f"  name: {name}",
            "  real_servers:",
            f"  - {{host: web1, weight: {web1}, method: dr}}",
            f"  - {{host: web2, weight: {web2}, method: dr}}",
        ]
    return "\n".join(lines) + "\n"


def open_shop(dashboard: Dashboard, person: str) -> None:
    """Load and apply the services in the name of somebody who has an account."""
    path = dashboard.data / "shop.yaml"
    path.write_text(document())
    for words in (("load_cluster", "lab", str(path)), ("apply", "lab", "--yes")):
        done = dashboard.manage(*words, "--as", person)
        assert done.returncode == 0, done.stdout + done.stderr
