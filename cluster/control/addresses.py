"""Ask the LAN whether an address is in use, for the form that is being filled in."""

from __future__ import annotations

import re
from ipaddress import ip_address

from django.utils import timezone

from cluster.control.observe import ask
from cluster.control.targets import Connect
from cluster.lvs import facts
from cluster.lvs.director import NoNetwork, vip_binding
from cluster.lvs.lan import duplicate_address_probe
from cluster.lvs.words import Sentence
from cluster.lvs.words import say as _
from cluster.models import AddressCheck
from cluster.remote.shell import RemoteError

# arping: [02:00:0a:00:01:64]; ip neigh: lladdr 02:00:0a:00:01:64
_MAC = re.compile(r"(?:\[|lladdr )([0-9A-Fa-f:]{17})\b")


def check_address(check: AddressCheck, connect: Connect) -> None:
    """Let the active director ask, and write its answer into the row."""
    State = AddressCheck.State  # noqa: N806
    director = check.cluster.director
    if director is None:
        _answer(check, State.FAILED, _("The cluster has no director to ask from."))
        return
    vip = ip_address(check.address)
    try:
        with connect(director) as shell:
            addresses = ask(shell, facts.ADDRESSES)
            bound = vip_binding(vip, 0, addresses)
            output = shell.run(duplicate_address_probe(vip, bound.device))
    except NoNetwork as error:
        _answer(check, State.FAILED, error.sentence)
    except RemoteError as error:
        _answer(check, State.FAILED, _("{said}", said=error))
    else:
        found = _MAC.search(output.text)
        if output.exit_status == 0:
            _answer(check, State.FREE)
        elif output.exit_status == 1:
            check.holder = found[1].lower() if found else ""
            _answer(check, State.TAKEN)
        else:
            said = output.stderr.decode("utf-8", "replace").strip()
            program = "arping" if vip.version == 4 else "ip neigh"
            text = _("{program} says: {said}", program=program, said=said)
            _answer(check, State.FAILED, text)


def _answer(check: AddressCheck, state: str, trouble: Sentence | None = None) -> None:
    check.state = state
    check.trouble = trouble.as_json() if trouble else None
    check.answered_at = timezone.now()
    check.save()
