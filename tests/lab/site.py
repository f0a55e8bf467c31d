"""The lab's cluster as rows of the database, driven as the tasks drive it."""

from pathlib import Path
from typing import Any

from cluster.control import running
from cluster.control.targets import shell_for
from cluster.lvs.packets import read_packets
from cluster.models import (
    Cluster,
    Credential,
    Host,
    RealServer,
    Run,
    User,
    Vip,
    VirtualService,
)
from tests.lab.running import Lab

# Everything that a run may touch, as root sees it: the proof that a host is as before.
# First what loads modules by being asked: they bring sysctls with them. A lab host takes
# longer to start a process than to answer: no sysctl -a, and few pipes.
_SYSCTLS = (
    "arp_ignore|arp_announce|.*forward.*|rp_filter|.*redirects|.*notify.*|accept_ra"
)
EVERYTHING = (
    "command -v ipvsadm >/dev/null && ipvsadm -Sn; iptables-legacy -t nat -S;"
    " iptables-legacy -t mangle -S; ip6tables-legacy -t mangle -S;"
    " ip fou show 2>/dev/null;"
    " { ip -o addr show; ip -o link show; } | sed -E 's/(valid_lft| qlen).*//';"
    " { ip route show table all; ip -6 route show table all; } | sort;"
    " grep -oE '^(ipip|ip_gre|fou) ' /proc/modules | sort; ls -A /etc/piranha-lvs;"
    " find /proc/sys/net -regextype posix-extended -type f"
    f" -regex '.*/(vs/conntrack|{_SYSCTLS})' -exec grep -Hs . {{}} + | sort"
)


class Site:
    """Cluster "lab" with the hosts of a running lab, and what a person does with it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.connect = shell_for
        self.operator = User.objects.create(username="li.wei", role="operator")
        self.cluster = Cluster.objects.create(name="lab", slug="lab")
        key = Credential(name="lab", public_key="made by the lab")
        key.seal(Path(lab.facts["private_key_file"]).read_text())
        key.save()
        for row in lab.facts["hosts"]:
            self.cluster.hosts.create(**row, ssh_user=lab.facts["user"], credential=key)
        self.cluster.director = self.host("lb01")
        self.cluster.save()

    def host(self, name: str) -> Host:
        return self.cluster.hosts.get(name=name)

    def want(
        self,
        vip: str = "10.0.1.31",
        scheduler: str = "rr",
        port: int = 80,
        servers: dict[str, Any] | None = None,
        **options: Any,
    ) -> VirtualService:
        """Write a service with web1 and web2; *servers* are fields of both."""
        service = VirtualService.objects.create(
            cluster=self.cluster,
            address=vip,
            port=port,
            scheduler=scheduler,
            **options,
        )
        Vip.number_for(self.cluster, vip)
        for name in ("web1", "web2"):
            host = self.host(name)
            fields = {"port": port} | (servers or {})
            address = str(host.address_for(service.at.family))
            RealServer.objects.create(
                service=service, host=host, address=address, **fields
            )
        return service

    def want_marked(
        self,
        packets: str,
        mark: int = 7,
        method: str = "dr",
        **options: Any,
    ) -> VirtualService:
        """Write a service under a firewall mark, with web1 and web2."""
        found = read_packets(packets)
        fields = {"protocol": "", "port": 0, "mark": mark, "scheduler": "rr"}
        service = VirtualService.objects.create(
            cluster=self.cluster,
            packets=[one.as_json() for one in found],
            **(fields | options),
        )
        for vip in service.vips:
            Vip.number_for(self.cluster, vip)
        for name in ("web1", "web2"):
            host = self.host(name)
            address = str(host.address_for(service.at.family))
            RealServer.objects.create(
                service=service, host=host, address=address, port=0, method=method
            )
        return service

    def converge(self) -> Run:
        run = self.apply()
        told = "\n".join(str(sentence) for sentence in run.account_sentences)
        assert run.state == Run.State.CONVERGED, told
        return run

    def plan(self) -> Run:
        run = Run.objects.create(
            cluster=self.cluster,
            wish=self.cluster.wish().as_json(),
            requested_by=self.operator,
        )
        return self.attend(run)

    def apply(self) -> Run:
        run = self.plan()
        return self.carry_out(run) if run.state == Run.State.PLANNED else run

    def carry_out(self, run: Run) -> Run:
        confirmed = {"state": Run.State.QUEUED, "confirmed_by": self.operator}
        Run.objects.filter(pk=run.pk).update(**confirmed)
        return self.attend(run)

    def attend(self, run: Run) -> Run:
        running.attend(run.pk, self.connect)
        run.refresh_from_db()
        return run

    def everything(self) -> dict[str, str]:
        return self.lab.on_all(("lb01", "web1", "web2"), EVERYTHING)

    def ask(self, url: str, times: int) -> list[str]:
        """Let the client host ask *times* times; return who answered."""
        loop = f"for i in $(seq {times}); do curl -sm 20 {url}; done"
        return self.lab.ssh("client", loop).split()
