"""What the database holds: the wish of the operator, and an account of what was done.

``people`` who may sign in · ``clusters`` clusters, hosts and their keys · ``services``
the wish · ``runs`` plans carried out, step by step · ``drains`` real servers on their
way out and back · ``readings`` counters over time · ``comparisons`` what differs on a
host · ``events`` the audit log.
"""

from cluster.models.clusters import Cluster, Credential, Host, HostQuerySet, Revision
from cluster.models.comparisons import Comparison
from cluster.models.drains import Drain, DrainQuerySet
from cluster.models.events import AuditEvent, AuditHead
from cluster.models.people import User
from cluster.models.readings import (
    HistoryChunk,
    HistoryMark,
    HostEvent,
    Reading,
    WatchLease,
)
from cluster.models.runs import Run, RunQuerySet, Step
from cluster.models.services import AddressCheck, RealServer, Vip, VirtualService

__all__ = [
    "AddressCheck",
    "AuditEvent",
    "AuditHead",
    "Cluster",
    "Comparison",
    "Credential",
    "Drain",
    "DrainQuerySet",
    "HistoryChunk",
    "HistoryMark",
    "Host",
    "HostEvent",
    "HostQuerySet",
    "Reading",
    "RealServer",
    "Revision",
    "Run",
    "RunQuerySet",
    "Step",
    "User",
    "Vip",
    "VirtualService",
    "WatchLease",
]
