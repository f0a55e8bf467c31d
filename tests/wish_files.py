"""Files good and bad, with the exact answers: for the reader and for the JSON Schema.

``SERVICE`` and ``SERVER`` take a line that is added; a bad line has one message.
"""

import json

from cluster.lvs.wish_file import SERVICE_KEYS

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

# What the shape alone shows: the JSON Schema refuses these too. Line, path, message.
KEYS = "cluster, director, settings, services"
BAD_SHAPE = {
    "a list": ("- a\n", [(1, "", f"Write keys and values here: {KEYS}.")]),
    "a word": ("lab\n", [(1, "", f"Write keys and values here: {KEYS}.")]),
    "no cluster": ("services: []\n", [(1, "", "The key “cluster” is missing.")]),
    "no services": ("cluster: lab\n", [(1, "", "The key “services” is missing.")]),
    "services that are empty": (
        "cluster: lab\nservices:\n",
        [(2, "services", "Write a list here; [] is an empty one.")],
    ),
    "an unknown key": (
        "cluster: lab\nservises: []\nservices: []\n",
        [
            (
                2,
                "servises",
                "“servises” is no key of a file. Did you mean “services”?",
            )
        ],
    ),
    "a number for a name": (
        "cluster: 7\nservices: []\n",
        [(1, "cluster", "Write “7” in quotes: it is a text.")],
    ),
    "an empty cluster": (
        'cluster: ""\nservices: []\n',
        [(1, "cluster", "Nothing stands here. Write a text, or leave the key out.")],
    ),
    "a service that is a word": (
        HEAD + "- web\n",
        [
            (
                3,
                "services[0]",
                f"Write keys and values here: {', '.join(SERVICE_KEYS)}.",
            ),
        ],
    ),
    "a mark without packets": (
        HEAD + "- {mark: 7}\n",
        [(3, "services[0]", "The key “packets” is missing.")],
    ),
    "a mark with a VIP of its own": (
        HEAD + "- {mark: 7, vip: 10.0.1.31, packets: [{vip: 10.0.1.31, protocol: tcp,"
        " ports: [80]}]}\n",
        [
            (
                3,
                "services[0].vip",
                "With a firewall mark “vip” stands in the packets.",
            )
        ],
    ),
    "a mark of 0, and no port": (
        HEAD + "- {mark: 0, packets: [{vip: 10.0.1.31, protocol: tcp, ports: []}]}\n",
        [
            (3, "services[0].packets[0].ports", "Write at least one port."),
            (3, "services[0].mark", "0 is out of range: 1 to 4294967295 are possible."),
        ],
    ),
    "a service without its address": (
        HEAD + "- {protocol: tcp}\n",
        [
            (3, "services[0]", "The key “vip” is missing."),
            (3, "services[0]", "The key “port” is missing."),
        ],
    ),
}
_SERVICE_LINES = {
    "scheduler: wcl": ("scheduler", "“wcl” is not possible here. Did you mean “wlc”?"),
    "scheduler: 3": (
        "scheduler",
        (
            "“3” is not possible here. Possible are: rr, wrr, lc, wlc, lblc, lblcr, dh,"
            " sh, sed, nq, fo, ovf, mh."
        ),
    ),
    "persistence_timeout: -1": (
        "persistence_timeout",
        "-1 is out of range: 0 to 2678400 are possible.",
    ),
    "persistence_timeout: 2678401": (
        "persistence_timeout",
        "2678401 is out of range: 0 to 2678400 are possible.",
    ),
    "persistence_timeout: off": (
        "persistence_timeout",
        "“off” is no whole number. Write 0 to 2678400.",
    ),
    "persistence: 300": (
        "persistence",
        (
            "“persistence” is no key of a virtual service. Did you mean"
            " “persistence_timeout”?"
        ),
    ),
    "colour: red": (
        "colour",
        (
            "“colour” is no key of a virtual service. Possible are:"
            f" {', '.join(SERVICE_KEYS)}."
        ),
    ),
    "persistence_netmask: 0": (
        "persistence_netmask",
        "0 is out of range: 1 to 128 are possible.",
    ),
    "fullnat: 1": ("fullnat", "Write true or false."),
    "enabled: yes": ("enabled", "Write true or false."),
    "enabled: 1": ("enabled", "Write true or false."),
    "name: 7": ("name", "Write “7” in quotes: it is a text."),
    "name: ~": (
        "name",
        "Nothing stands here. Write a text, or leave the key out.",
    ),
    f"name: {'x' * 65}": (
        "name",
        "65 letters are too many: at most 64 are possible.",
    ),
    'name: "a\\0b"': ("name", "A null character is not possible in a text."),
    "real_servers: {host: web1}": (
        "real_servers",
        "Write a list here; [] is an empty one.",
    ),
    f"real_servers: [{', '.join(['{host: web1}'] * 101)}]": (
        "real_servers",
        "101 are too many: at most 100 are possible.",
    ),
}
_SERVER_LINES = {
    "host: web1, weight: 65536": (
        "weight",
        "65536 is out of range: 0 to 65535 are possible.",
    ),
    "host: web1, weight: 1.5": (
        "weight",
        "“1.5” is no whole number. Write 0 to 65535.",
    ),
    "host: web1, weight: true": ("weight", "Write a whole number from 0 to 65535."),
    'host: web1, weight: "3"': ("weight", "Write 3 without quotes."),
    "host: web1, weight: 0x10": (
        "weight",
        "“0x10” is no whole number. Write 0 to 65535.",
    ),
    "host: web1, weight: 99999999999999999999": (
        "weight",
        "99999999999999999999 is out of range: 0 to 65535 are possible.",
    ),
    "host: web1, port: 080": ("port", "Write 080 without leading zeros."),
    "host: web1, port: 0": ("port", "0 is out of range: 1 to 65535 are possible."),
    "host: web1, method: masq": (
        "method",
        "“masq” is not possible here. Possible are: dr, tun, nat.",
    ),
    "host: web1, upper_threshold: 65536": (
        "upper_threshold",
        "65536 is out of range: 0 to 65535 are possible.",
    ),
    "host: web1, enabled: on": ("enabled", "Write true or false."),
    "host: web1, wieght: 3": (
        "wieght",
        "“wieght” is no key of a real server. Did you mean “weight”?",
    ),
    "host: 7": ("host", "Write “7” in quotes: it is a text."),
    "host: web1, address: 10.0.1.6": (
        "",
        "Write either “host” or “address”: one of them, not both.",
    ),
    "weight: 1": ("", "Write either “host” or “address”: one of them, not both."),
    "address: 10.0.1.256": (
        "address",
        "“10.0.1.256” is no IPv4 address: 256 is larger than 255.",
    ),
    "address: 010.0.1.6": ("address", "Write “010.0.1.6” without leading zeros."),
    "address: web7": (
        "address",
        "“web7” is no IP address such as 10.0.1.31 or fd00:10:0:1::31.",
    ),
    "address: 167772422": ("address", "Write “167772422” in quotes: it is a text."),
}

# What only the cluster shows: the schema takes these.
BAD_MEANING = {
    "families mixed": (
        SERVER.format('address: "fd00:10:0:1::6"'),
        [
            (
                7,
                "services[0].real_servers[0].address",
                (
                    "web1 is reached at fd00:10:0:1::6, which is IPv6, and the VIP"
                    " 10.0.1.31 is IPv4: Direct routing cannot change the family. Give the"
                    " host an address of IPv4."
                ),
            )
        ],
    ),
    "a prefix that IPv4 does not have": (
        SERVICE.format("persistence_timeout: 60, persistence_netmask: 64"),
        [
            (
                3,
                "services[0].persistence_netmask",
                (
                    "An IPv4 address has 32 bits: 64 is out of range, 1 to 32 are"
                    " possible."
                ),
            )
        ],
    ),
    "another cluster": (
        "cluster: shop\nservices: []\n",
        [
            (
                1,
                "cluster",
                "This is the file of the cluster “shop”, not of “lab”.",
            )
        ],
    ),
    "an unknown director": (
        "cluster: lab\ndirector: lb1\nservices: []\n",
        [
            (
                2,
                "director",
                "This cluster has no director “lb1”. Did you mean “lb01”?",
            )
        ],
    ),
    "a real server as the director": (
        "cluster: lab\ndirector: web1\nservices: []\n",
        [
            (
                2,
                "director",
                "This cluster has no director “web1”. Possible are: lb01.",
            )
        ],
    ),
    "the same service twice": (
        HEAD + "- {protocol: tcp, vip: 10.0.1.31, port: 80}\n" * 2,
        [
            (
                4,
                "services[1].vip",
                "TCP 10.0.1.31:80 exists in this cluster already.",
            )
        ],
    ),
    "two at once": (
        HEAD
        + "- {protocol: tcp, vip: 10.0.2.31, port: 80}\n"
        + "- {protocol: tcp, vip: 10.0.1.255, port: 80}\n",
        [
            (
                3,
                "services[0].vip",
                (
                    "10.0.2.31 is in no network of lb01: eth0 10.0.1.0/24, eth0"
                    " fd00:10:0:1::/64."
                ),
            ),
            (
                4,
                "services[1].vip",
                "10.0.1.255 is the broadcast address of 10.0.1.0/24.",
            ),
        ],
    ),
    "the same mark twice, and a port twice": (
        HEAD
        + "- {mark: 7, packets: [{vip: 10.0.1.31, protocol: tcp, ports: [80-90]}]}\n"
        + "- {mark: 7, packets: [{vip: 10.0.1.31, protocol: tcp, ports: [85]}]}\n",
        [
            (
                4,
                "services[1].mark",
                "7 is the mark of another service of this cluster.",
            ),
            (
                4,
                "services[1].packets",
                "TCP 10.0.1.31:80-90 belongs to FWM 7 already.",
            ),
        ],
    ),
    "a port that is a service of its own": (
        HEAD
        + "- {mark: 7, packets: [{vip: 10.0.1.31, protocol: tcp, ports: [80-90]}]}\n"
        + "- {protocol: tcp, vip: 10.0.1.31, port: 85}\n",
        [
            (
                4,
                "services[1].vip",
                "TCP 10.0.1.31:85 belongs to FWM 7 already: the firewall marks it.",
            )
        ],
    ),
    "a VIP that is a host": (
        HEAD + "- {protocol: tcp, vip: 10.0.1.6, port: 80}\n",
        [(3, "services[0].vip", "10.0.1.6 is web1's own address.")],
    ),
}
_SERVER_MEANING = {
    "host: web3": (
        "host",
        "This cluster has no real server “web3”. Did you mean “web2”?",
    ),
    "host: web1, port: 8080": (
        "port",
        (
            "Direct routing cannot change the port: packets reach web1 with the VIP's own"
            " port, 80."
        ),
    ),
    "host: web1, method: tun, port: 8080": (
        "port",
        (
            "Tunneling cannot change the port: packets reach web1 with the VIP's own"
            " port, 80."
        ),
    ),
    "host: web1, lower_threshold: 5": (
        "lower_threshold",
        (
            "A lower threshold says when a full real server is used again: write an"
            " upper threshold too."
        ),
    ),
    "address: 10.0.1.3": (
        "address",
        "10.0.1.3 is the director lb01 itself. Choose a real server.",
    ),
    "address: 10.0.9.9": (
        "address",
        (
            "10.0.9.9 is not in the LAN of lb01 (10.0.1.0/24): direct routing rewrites"
            " only the MAC address and cannot leave the LAN."
        ),
    ),
}

_SERVICE_MEANING = {
    "persistence_netmask: 24": (
        "persistence_netmask",
        (
            "A netmask groups clients for persistence: switch persistence on, or leave"
            " the netmask empty."
        ),
    ),
    "one_packet: true": (
        "one_packet",
        (
            "One-packet scheduling is for UDP only: TCP needs all packets of a"
            " connection on one real server."
        ),
    ),
    "hash_port: true": (
        "hash_port",
        "Only sh and mh hash the client; wlc has no use for it.",
    ),
    "fullnat: true, real_servers: [{host: web1}]": (
        "real_servers[0].method",
        (
            "FULLNAT replaces the client's address in packets that NAT rewrites: Direct"
            " routing does not rewrite any. Choose NAT."
        ),
    ),
}
for _line, (_key, _message) in _SERVICE_MEANING.items():
    BAD_MEANING[_line] = (SERVICE.format(_line), [(3, f"services[0].{_key}", _message)])
for _line, (_key, _message) in _SERVICE_LINES.items():
    BAD_SHAPE[_line[:60]] = (
        SERVICE.format(_line),
        [(3, f"services[0].{_key}", _message)],
    )
for _lines, _bad in ((_SERVER_LINES, BAD_SHAPE), (_SERVER_MEANING, BAD_MEANING)):
    for _line, (_key, _message) in _lines.items():
        _path = "services[0].real_servers[0]" + (f".{_key}" if _key else "")
        _bad[_line] = (SERVER.format(_line), [(7, _path, _message)])
BAD_MEANING["a server twice"] = (
    SERVICE.format("real_servers: [{host: web1}, {address: 10.0.1.6}]"),
    [
        (
            3,
            "services[0].real_servers[1].address",
            "web1 stands here twice with the same port.",
        )
    ],
)

BAD_MEANING["all ports without persistence"] = (
    SERVICE.replace("port: 80", "port: 0").format("real_servers: [{host: web1}]"),
    [
        (
            3,
            "services[0].port",
            (
                "Port 0 is all ports of the VIP: what a client opens on several of them"
                " must meet at one real server. Switch persistence on, or write a port."
            ),
        )
    ],
)
BAD_MEANING["all ports to one port"] = (
    SERVICE.replace("port: 80", "port: 0").format(
        "persistence_timeout: 60, real_servers: [{host: web1, method: nat, port: 80}]"
    ),
    [
        (
            3,
            "services[0].real_servers[0].port",
            (
                "All ports are forwarded, and each packet keeps its own: leave the port of"
                " web1 empty."
            ),
        )
    ],
)
BAD_MEANING["a tunnel to the other family beside a sync daemon"] = (
    HEAD.replace(
        "services:",
        "settings:\n  sync_daemons:\n"
        "  - {director: lb01, role: master, interface: eth0}\nservices:",
    )
    + '- {protocol: tcp, vip: "fd00:10:0:1::31", port: 80, real_servers:'
    " [{address: 10.0.1.6, method: tun}]}\n",
    [
        (
            6,
            "services[0].real_servers[0].address",
            (
                "web1 is reached at 10.0.1.6, which is IPv4, and the VIP fd00:10:0:1::31 is"
                " IPv6. lb01 runs a sync daemon, and beside one the kernel takes no such real"
                " server. Give the host an address of IPv6, or take the sync daemon out of"
                " the settings."
            ),
        )
    ],
)

# No document at all. Line and message.
BAD_TEXT = {
    "empty": (b"", None, "The file is empty."),
    "only a comment": (b"# nothing\n", None, "The file is empty."),
    "not UTF-8": (b"a: 1\nb: \xff\n", 2, "This is not UTF-8 text."),
    "a bracket left open": (
        b"a: [\n",
        2,
        "This is no YAML: did not find expected node content.",
    ),
    "a tab": (
        b"a:\n\t- b\n",
        2,
        "This is no YAML: found character that cannot start any token.",
    ),
    "two documents": (b"--- 1\n--- 2\n", 2, "One file holds one document."),
    "a key twice": (
        b"cluster: lab\nservices: []\ncluster: shop\n",
        3,
        "The key \u201ccluster\u201d stands here twice; the first is in line 1.",
    ),
    "an alias": (
        b"a: &x [1]\nb: *x\n",
        1,
        "Anchors (&) and aliases (*) are not taken: write it out.",
    ),
    "an anchor on a key": (
        b"&x a: 1\n",
        1,
        "Anchors (&) and aliases (*) are not taken: write it out.",
    ),
    "a merge key": (
        b"a: 1\nb:\n  <<: *x\n",
        3,
        "Anchors (&) and aliases (*) are not taken: write it out.",
    ),
    "an object": (
        b"a: !!python/object/apply:os.system [ls]\n",
        1,
        "Tags such as tag:yaml.org,2002:python/object/apply:o\u2026 are not taken.",
    ),
    "too deep": (b"[" * 40, 1, "This is nested too deeply."),
    "a list for a key": (b"? [a]\n: b\n", 1, "A key is one word."),
    "a control character": (
        b"a: \x07\n",
        None,
        "This is no YAML: unacceptable character #x0007: control \u2026.",
    ),
    "too large": (b"#" * (1024 * 1024 + 1), None, "The file is larger than 1 MiB."),
}
