"""The share that each real server of the form would get, as far as it can be read.

It is computed from what stands in the fields, typed or not, so that it is there while
a person is still writing.
"""

from __future__ import annotations

from ipaddress import ip_address

from cluster.forms.service import ServiceEntry
from cluster.forms.service_fields import OTHER, ServerForm
from cluster.lvs import validate
from cluster.lvs.schedule_share import Shares, Weighted, shares
from cluster.lvs.table import IPAddress
from cluster.lvs.terms import Scheduler
from cluster.lvs.validate import Wrong


def share_out(entry: ServiceEntry) -> Shares | None:
    """Give each row its share; None when there is no real server yet."""
    port = _number(entry.form["port"].value(), validate.SERVICE_PORTS)
    rows = [
        (row, server)
        for row in entry.servers.forms
        if (server := _weighted(entry, row, port))
    ]
    scheduler = Scheduler.__members__.get(str(entry.form["scheduler"].value()).upper())
    if not rows or scheduler is None:
        return None
    # As the plan adds them: in the order of their addresses.
    rows.sort(key=lambda pair: (int(pair[1].address), pair[1].port))
    found = shares(
        scheduler,
        [server for _row, server in rows],
        fallback=bool(entry.form["hash_fallback"].value()),
        persistent=bool(entry.form["persistent"].value()),
    )
    for (row, _server), part in zip(rows, found.parts or [], strict=False):
        row.share = 100 * part
    return found


def _weighted(
    entry: ServiceEntry, row: ServerForm, port: int | None
) -> Weighted | None:
    address = _address(entry, row)
    weight = _number(row["weight"].value(), validate.WEIGHTS)
    if address is None or weight is None or row["off"].value():
        return None
    own = _number(row["port"].value(), validate.PORTS)
    return Weighted(address, own or port or 0, weight)


def _address(entry: ServiceEntry, row: ServerForm) -> IPAddress | None:
    chosen = str(row["host"].value() or "")
    if chosen in entry.hosts:
        return ip_address(entry.hosts[chosen].address)
    try:
        typed = str(row["address"].value() or "")
        return validate.read_address(typed) if chosen == OTHER else None
    except Wrong:
        return None


def _number(typed: object, limits: tuple[int, int]) -> int | None:
    try:
        return validate.read_number(str(typed), *limits)
    except Wrong:
        return None
