"""Files of clusters that are good, for the reader and for the JSON Schema.

``SERVICE`` and ``SERVER`` take a line that is added; a bad line has one message.
"""

import json

HEAD = "cluster: lab\nservices:\n"
SERVICE = HEAD + "- {{protocol: tcp, vip: 10.0.1.31, port: 80, {0}}}\n"
SERVER = HEAD + (
    "- protocol: tcp\n  vip: 10.0.1.31\n  port: 80\n  real_servers:\n  - {{{0}}}\n"
)
NOTES = """\
cluster: lab
director: lb01
services:
- protocol: tcp
  vip: 10.0.1.31
  port: 80
  scheduler: rr
  real_servers:
  - host: web1
    weight: 1
    method: dr
  - host: web2
    weight: 1
    method: dr
"""

GOOD = {
    "the notes": NOTES,
    "nothing": "cluster: lab\nservices: []\n",
    "JSON": json.dumps({"cluster": "lab", "director": "lb01", "services": []}),
    "all ports": SERVICE.replace("port: 80", "port: 0").format(
        "persistence_timeout: 300, real_servers: [{host: web1}]"
    ),
    "defaults": HEAD + "- {protocol: tcp, vip: 10.0.1.31, port: 80}\n",
    "everything": SERVICE.format(
        'scheduler: sh, persistence_timeout: 300, name: "shop 店", enabled: false,'
        " persistence_netmask: 24, hash_port: true, hash_fallback: true,"
        " one_packet: false, fullnat: false,"
        " real_servers: [{address: 10.0.1.50, port: 80, weight: 0, method: dr,"
        " enabled: false}, {host: web1, method: tun, upper_threshold: 100,"
        " lower_threshold: 50}]"
    ),
    "UDP, packet by packet": HEAD
    + "- {protocol: udp, vip: 10.0.1.31, port: 53, one_packet: true}\n",
    "FULLNAT to other ports and networks": SERVICE.format(
        "fullnat: true, real_servers: [{address: 10.0.9.9, port: 8080, method: nat}]"
    ),
    "IPv6": HEAD
    + '- {protocol: tcp, vip: "fd00:10:0:1::31", port: 80, persistence_timeout: 60,'
    " persistence_netmask: 64, real_servers: [{host: web1},"
    ' {address: "fd00:10:0:1::50", weight: 3}]}\n',
    "a firewall mark": HEAD
    + "- {mark: 7, packets: [{vip: 10.0.1.31, protocol: tcp, ports: [80, 443]},"
    " {vip: 10.0.1.32, protocol: udp, ports: [5000-5010]}], persistence_timeout: 300,"
    " real_servers: [{host: web1}, {host: web2}]}\n",
    "the largest mark, IPv6": HEAD
    + '- {mark: 4294967295, packets: [{vip: "fd00:10:0:1::31", protocol: sctp,'
    ' ports: ["9"]}], real_servers: [{host: web1, method: nat, port: 99}]}\n',
    "comments": "# ours\n" + NOTES,
    "an empty name": SERVICE.format('name: ""'),
    "the longest persistence": SERVICE.format("persistence_timeout: 2678400"),
    "the largest weight": SERVER.format("host: web1, weight: 65535"),
}


def at_server(key: str, message: str) -> tuple[int, str, str]:
    """Return what a bad line in ``SERVER`` has for an answer: line, path, message."""
    path = "services[0].real_servers[0]"
    return (7, f"{path}.{key}" if key else path, message)
