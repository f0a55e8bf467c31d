"""The cluster of the notes in memory: rows in the database, hosts as models."""

from dataclasses import replace

from cluster.control import running
from cluster.lvs.boot_place import BootPlace
from cluster.lvs.host import HostState
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
from cluster.remote.shell import Unreachable
from tests.build import WEB1, WEB2, bound, director, real_server
from tests.fake_shell import FakeShell
from tests.model_host import ModelHost

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL7i9rInRE3/A8YGTBI6yD/dvBhy+4xs/PePvIizhULd"


def prepared(state: HostState) -> HostState:
    """Return the host as it is after what the wizard asks for was installed there."""
    return replace(state, boot=BootPlace(ready=True))


class Lab:
    """Four model hosts with their rows, and the steps that a person takes."""

    def __init__(self) -> None:
        self.models = {
            "lb01": ModelHost(prepared(director())),
            "web1": ModelHost(prepared(real_server(WEB1))),
            "web2": ModelHost(prepared(real_server(WEB2))),
        }
        self.shells: dict[str, FakeShell] = {}
        self.down: dict[str, Exception] = {}
        self.operator = User.objects.create(username="li.wei", role="operator")
        self.cluster = Cluster.objects.create(name="lab", slug="lab")
        credential = Credential(name="lab", public_key="ssh-ed25519 AAAA lab")
        credential.seal("a private key")
        credential.save()
        for name, role, address in (
            ("lb01", "director", "10.0.1.3"),
            ("web1", "real_server", WEB1),
            ("web2", "real_server", WEB2),
        ):
            self.cluster.hosts.create(
                name=name,
                role=role,
                address=address,
                ssh_address=address,
                credential=credential,
                host_key=KEY,
            )
        self.cluster.director = self.host("lb01")
        self.cluster.save()

    def add_director(self, name: str = "lb02", address: str = "10.0.1.5") -> Host:
        """Add a second director, standing by."""
        state = prepared(director())
        self.models[name] = ModelHost(
            replace(
                state,
                boot_id=f"boot-{name}",
                addresses=(state.addresses[0], bound(f"{address}/24")),
            )
        )
        return self.cluster.hosts.create(
            name=name,
            role="director",
            address=address,
            ssh_address=address,
            credential=self.host("lb01").credential,
            host_key=KEY,
        )

    def host(self, name: str) -> Host:
        return self.cluster.hosts.get(name=name)

    def connect(self, host: Host) -> FakeShell:
        if host.name in self.down:
            raise self.down[host.name]
        model = self.models[host.name]
        self.shells[host.name] = FakeShell(host.name, model)
        return self.shells[host.name]

    def cut_off(self, name: str) -> None:
        """From now on nobody can reach this host."""
        self.down[name] = Unreachable(name, f"{name} does not answer.")
        if name in self.shells:
            self.shells[name].close()

    def states(self):
        return {name: model.state for name, model in self.models.items()}

    def writes(self) -> list[str]:
        return [f"{n}: {w}" for n, model in self.models.items() for w in model.writes]

    # -- what a person does -----------------------------------------------------------

    def want(self, vip="10.0.1.31", port=80, scheduler="rr") -> VirtualService:
        service = VirtualService.objects.create(
            cluster=self.cluster, address=vip, port=port, scheduler=scheduler
        )
        Vip.number_for(self.cluster, vip)
        for name in ("web1", "web2"):
            host = self.host(name)
            RealServer.objects.create(
                service=service, host=host, address=host.address, port=port
            )
        return service

    def plan(self) -> Run:
        run = Run.objects.create(
            cluster=self.cluster,
            wish=self.cluster.wish().as_json(),
            requested_by=self.operator,
        )
        running.attend(run.pk, self.connect)
        run.refresh_from_db()
        return run

    def confirm(self, run: Run) -> None:
        confirmed = {"state": Run.State.QUEUED, "confirmed_by": self.operator}
        Run.objects.filter(pk=run.pk, state=Run.State.PLANNED).update(**confirmed)

    def attend(self, run: Run) -> Run:
        running.attend(run.pk, self.connect)
        run.refresh_from_db()
        return run

    def apply(self) -> Run:
        run = self.plan()
        self.confirm(run)
        return self.attend(run)

    def expire_lease(self, run: Run) -> None:
        Run.objects.filter(pk=run.pk).update(lease_until="2020-01-01T00:00:00Z")
