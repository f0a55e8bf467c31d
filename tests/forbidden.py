"""Commands that no host may let the dashboard run as root, by role.

Each is a way to root, to a stranger's traffic, or past a rule of the sudoers file.
The same lists are tried against ``privileges.allowed`` and against real sudo.
"""

EVERYWHERE = (
    ("sh",),
    ("sh", "-c", "id"),
    ("bash",),
    ("cat", "/etc/shadow"),
    ("tee", "/etc/sudoers.d/x"),
    ("cp", "/tmp/x", "/etc/shadow"),
    ("visudo",),
    ("su", "-"),
    ("passwd", "root"),
    ("useradd", "x"),
    ("chmod", "u+s", "/bin/sh"),
    ("modprobe", "x"),
    ("systemctl", "restart", "ssh"),
    ("systemctl", "status"),
    ("reboot",),
    ("ip", "netns", "exec", "x", "sh"),
    ("ip", "-force", "-batch", "/tmp/x"),
    ("ip", "link", "set", "eth0", "down"),
    ("ip", "addr", "flush", "dev", "eth0"),
    ("ip", "route", "del", "default"),
    ("ip", "route", "add", "0.0.0.0/0", "dev", "lo"),
    ("ip", "route", "add", "default", "via", "10.0.1.66"),
    ("ip", "route", "add", "10.0.1.31/32", "dev", "eth0"),
    ("sysctl", "-p", "/tmp/x"),
    ("sysctl", "-w", "kernel.core_pattern=|/tmp/x"),
    ("sysctl", "-q", "-w", "kernel.modprobe=/tmp/x"),
    ("sysctl", "-q", "-w", "net.ipv4.ip_forward=1"),
    ("sysctl", "-q", "-w", "net.ipv4.conf.eth0.arp_ignore=1"),
    ("sysctl", "-q", "-w", "net.ipv4.conf.all.arp_ignore=9"),
    ("sysctl", "-q", "-w", "net.ipv4.conf.all.arp_ignore=1", "kernel.sysrq=1"),
    ("sysctl", "-q", "-w"),
    ("ipvsadm", "-C"),
    ("ipvsadm", "-Z"),
    ("ipvsadm", "--set", "1", "1", "1"),
    ("ipvsadm", "-D", "-t", "10.0.1.31:80"),
    ("ipvsadm", "-R", "-n"),
    ("ipvsadm-restore",),
    ("arping", "-U", "-c", "2", "-I", "eth0", "10.0.1.31", "-s", "10.0.1.3"),
    ("arping", "-A", "-c", "2", "-I", "eth0", "10.0.1.31"),
    ("arping", "-D", "-c", "20000", "-w", "3", "-I", "eth0", "10.0.1.31"),
    ("keepalived", "-f", "/tmp/x"),
)
# The host's own address has the label "eth0", not "eth0:1": out of reach.
_TRICKS = (
    ("ip", "addr", "del", "10.0.1.3/24", "dev", "eth0"),
    ("ip", "addr", "del", "10.0.1.3/24", "dev", "eth0", "label", "eth0"),
    (
        "ip",
        "addr",
        "add",
        "10.0.1.31/24",
        "dev",
        "eth0",
        "label",
        "eth0:1",
        "peer",
        "x",
    ),
    ("ip", "addr", "replace", "10.0.1.31/24", "dev", "eth0", "label", "eth0:1"),
    ("ip", "addr", "add", "10.0.1.31/24;id", "dev", "eth0", "label", "eth0:1"),
    ("ip", "addr", "add", "$(id)", "dev", "lo", "label", "lo:1"),
)
_DIRECTOR_ONLY = (
    ("ipvsadm", "-R"),
    ("ipvsadm", "-Sn"),
    ("ip", "addr", "add", "10.0.1.31/24", "dev", "eth0", "label", "eth0:1"),
    ("arping", "-U", "-c", "2", "-I", "eth0", "10.0.1.31"),
)
_REAL_SERVER_ONLY = (
    ("ip", "route", "add", "10.0.1.31/32", "dev", "lo"),
    ("sysctl", "-q", "-w", "net.ipv4.conf.all.arp_ignore=1"),
)
FORBIDDEN = {
    "director": (*EVERYWHERE, *_TRICKS, *_REAL_SERVER_ONLY),
    "real_server": (*EVERYWHERE, *_TRICKS, *_DIRECTOR_ONLY),
    "probe": (*EVERYWHERE, *_TRICKS, *_DIRECTOR_ONLY, *_REAL_SERVER_ONLY),
}
