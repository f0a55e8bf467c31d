"""Clients that never stop: new requests one after the other, and one long connection.

Both run on the client host, so that nothing that the test does holds them up.
"""

import shlex

from tests.lab.running import Lab

# A new connection for each request. Counts into /run/steady: "answered failed".
_REQUESTS = """
    my ($good, $bad) = (0, 0);
    while (1) {
        my $answer = "";
        eval {
            local $SIG{ALRM} = sub { die };
            alarm 20;
            socket S, PF_INET, SOCK_STREAM, 6;
            connect S, pack_sockaddr_in(80, inet_aton($address)) or die;
            syswrite S, "GET / HTTP/1.0\\r\\n\\r\\n";
            $answer .= $_ while <S>;
            close S;
            alarm 0;
        };
        $answer =~ /^HTTP.* 200/ ? $good++ : $bad++;
        count("steady", "$good $bad");
        select undef, undef, undef, 0.02;
    }
"""
# One connection that is asked again and again: "answered", and "dead" when it ends.
_LASTING = """
    my $good = 0;
    socket S, PF_INET, SOCK_STREAM, 6;
    connect S, pack_sockaddr_in(80, inet_aton($address)) or die $!;
    while (1) {
        alarm 30;
        syswrite S, "GET / HTTP/1.1\\r\\nHost: vip\\r\\n\\r\\n" or last;
        sysread S, my $answer, 9999 or last;
        $answer =~ /^HTTP.* 200/ or last;
        count("lasting", ++$good);
        select undef, undef, undef, 0.3;
    }
    count("lasting", "dead after $good");
"""
_COUNT = """
    sub count {
        open F, ">", "/run/$_[0].new" or die;
        print F "$_[1]\\n";
        close F;
        rename "/run/$_[0].new", "/run/$_[0]";
    }
"""


def _start(lab: Lab, name: str, script: str, address: str) -> None:
    text = f"use Socket; $SIG{{PIPE}} = 'IGNORE'; my $address = '{address}'; "
    words = shlex.quote(" ".join((text + _COUNT + script).split()))
    lab.ssh("client", f"systemctl stop {name} 2>/dev/null; rm -f /run/{name}; true")
    lab.ssh("client", f"systemd-run --quiet --collect --unit {name} perl -e {words}")


def start(lab: Lab, address: str) -> None:
    _start(lab, "steady", _REQUESTS, address)
    _start(lab, "lasting", _LASTING, address)


def counts(lab: Lab) -> tuple[int, int, str]:
    """Return requests answered and failed, and what the long connection says."""
    said = lab.ssh("client", "sleep 2; cat /run/steady /run/lasting").split("\n")
    good, bad = said[0].split()
    return int(good), int(bad), said[1]


def stop(lab: Lab) -> None:
    lab.ssh("client", "systemctl stop steady lasting 2>/dev/null; true")
