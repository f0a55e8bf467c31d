"""Port 0: every port of a VIP, and a client with several of them at one real server."""

import pytest

from tests.build import at

pytestmark = [pytest.mark.lab, pytest.mark.django_db, pytest.mark.timeout(300)]
# Nothing else uses it: connections of other tests stay in the table for minutes.
VIP = "10.0.1.38"
# Says hello to sshd through the VIP; the second word of the line is its banner.
GREET = f"bash -c 'exec 3<>/dev/tcp/{VIP}/22; read -r -t 9 line <&3; echo $line'"


def test_all_ports_of_a_vip_lead_a_client_to_one_real_server(site):
    before = site.everything()
    service = site.want(VIP, port=0, persistence=60)
    site.converge()
    rules = site.lab.ssh("lb01", "ipvsadm -Sn").splitlines()
    assert rules[0] == f"-A -t {VIP}:0 -s rr -p 60"
    assert {rule.split()[4] for rule in rules[1:]} == {"10.0.1.6:0", "10.0.1.9:0"}

    (web,) = set(site.ask(f"http://{VIP}/", 3))
    assert site.lab.ssh("client", GREET).startswith("SSH-2.0-")
    rip = site.host(web).address
    listed = site.lab.ssh("lb01", "ipvsadm -Lnc")
    rows = [line.split() for line in listed.splitlines() if f"{VIP}:" in line]
    reached = {row[5] for row in rows}
    assert reached == {f"{rip}:80", f"{rip}:22", f"{rip}:0"}, "0 is the template"
    assert site.lab.stats(conns=4)[at(VIP, 0), f"{rip}:0"].conns == 4

    # A port with a service of its own is none of "all ports" any more.
    own = site.want(VIP, port=80)
    site.converge()
    assert set(site.ask(f"http://{VIP}/", 4)) == {"web1", "web2"}
    own.delete()
    service.delete()
    site.converge()
    assert site.everything() == before
