"""Files of clusters that only the cluster shows to be wrong."""

from tests.wish_files import HEAD, SERVER, SERVICE, at_server

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
for _line, (_key, _message) in _SERVER_MEANING.items():
    BAD_MEANING[_line] = (SERVER.format(_line), [at_server(_key, _message)])
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
