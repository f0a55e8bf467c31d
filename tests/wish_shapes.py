"""Files of clusters that are wrong by their shape."""

from cluster.lvs.wish_file import SERVICE_KEYS
from tests.wish_files import HEAD, SERVER, SERVICE, at_server

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
for _line, (_key, _message) in _SERVICE_LINES.items():
    BAD_SHAPE[_line[:60]] = (
        SERVICE.format(_line),
        [(3, f"services[0].{_key}", _message)],
    )
for _line, (_key, _message) in _SERVER_LINES.items():
    BAD_SHAPE[_line] = (SERVER.format(_line), [at_server(_key, _message)])
