"""The application's URLs. Without a log-in: setup, login, health, metrics, set_language."""

from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern, URLResolver, path, re_path
from django.views.i18n import set_language

from cluster import events
from cluster.views import (
    account,
    addresses,
    adoption,
    audit,
    clusters,
    confirm_window,
    connections,
    drains,
    drift,
    graphs,
    history,
    host_setup,
    hosts,
    live,
    metrics,
    overview,
    runs,
    service_bulk,
    service_form,
    services,
    settings,
)

app_name = "cluster"
urlpatterns: list[URLPattern | URLResolver] = [
    path("health", account.health, name="health"),
    path("metrics", metrics.metrics, name="metrics"),
    path("setup/<str:token>/", account.setup, name="setup"),
    path("login/", account.login, name="login"),
    path("logout/", account.logout, name="logout"),
    path("password/", account.password, name="password"),
    path("language/", login_not_required(set_language), name="set_language"),
    # Overview and live pages; /events/ is answered by the ASGI process only
    path("", overview.overview, name="overview"),
    path("overview/", overview.overview_live, name="overview_live"),
    path("clusters/new/", clusters.cluster_new, name="cluster_new"),
    path("clusters/<slug:slug>/", live.cluster, name="cluster"),
    path("clusters/<slug:slug>/live/", live.cluster_live, name="cluster_live"),
    path("clusters/<slug:slug>/graph.json", live.graph_data, name="graph_data"),
    path("events/clusters/<slug:slug>/", events.cluster_stream, name="cluster_events"),
    # Graphs
    path("clusters/<slug:slug>/graphs/", graphs.graphs, name="graphs"),
    path(
        "clusters/<slug:slug>/graphs/data.json", graphs.graphs_data, name="graphs_data"
    ),
    path("clusters/<slug:slug>/graphs/data.csv", graphs.graphs_csv, name="graphs_csv"),
    path(
        "clusters/<slug:slug>/graphs/point.json",
        graphs.graphs_point,
        name="graphs_point",
    ),
    path(
        "events/clusters/<slug:slug>/graphs/",
        events.graphs_stream,
        name="graphs_events",
    ),
    # Connections: asked of a director while somebody looks
    path(
        "clusters/<slug:slug>/connections/",
        connections.connections,
        name="connections",
    ),
    path(
        "clusters/<slug:slug>/connections/now/",
        connections.connections_now,
        name="connections_now",
    ),
    # Virtual services: the wish
    path("clusters/<slug:slug>/services/", services.services, name="services"),
    path(
        "clusters/<slug:slug>/services/new/",
        service_form.service_new,
        name="service_new",
    ),
    path(
        "clusters/<slug:slug>/services/<int:pk>/", service_form.service, name="service"
    ),
    path(
        "clusters/<slug:slug>/services/<int:pk>/delete/",
        services.delete,
        name="service_delete",
    ),
    path(
        "clusters/<slug:slug>/services/bulk/",
        service_bulk.service_bulk,
        name="service_bulk",
    ),
    path(
        "clusters/<slug:slug>/services/rows/",
        service_form.service_row,
        name="service_row",
    ),
    path(
        "clusters/<slug:slug>/services/check/",
        service_form.service_check,
        name="service_check",
    ),
    path("clusters/<slug:slug>/addresses/", addresses.ask, name="address_check"),
    path(
        "clusters/<slug:slug>/addresses/<uuid:pk>/",
        addresses.answer,
        name="address_answer",
    ),
    # Settings of the directors, and redundancy
    path("clusters/<slug:slug>/settings/", settings.settings, name="settings"),
    path(
        "clusters/<slug:slug>/settings/confirm-window/",
        confirm_window.confirm_window,
        name="confirm_window",
    ),
    path("clusters/<slug:slug>/redundancy/", settings.redundancy, name="redundancy"),
    path("clusters/<slug:slug>/discard/", services.discard, name="discard"),
    # Real servers: weights, drain, bring back
    path("clusters/<slug:slug>/servers/<str:address>/", drains.server, name="server"),
    path(
        "clusters/<slug:slug>/servers/<str:address>/weights/",
        drains.server_weights,
        name="server_weights",
    ),
    path(
        "clusters/<slug:slug>/servers/<str:address>/drain/",
        drains.drain_new,
        name="drain_new",
    ),
    path("drains/<int:pk>/", drains.drain, name="drain"),
    path("drains/<int:pk>/now/", drains.drain_fragment, name="drain_fragment"),
    path("drains/<int:pk>/tell/", drains.drain_tell, name="drain_tell"),
    # Runs: review, apply, history
    path("clusters/<slug:slug>/review/", runs.review, name="review"),
    path("runs/<int:pk>/", runs.run, name="run"),
    path("runs/<int:pk>/now/", runs.run_fragment, name="run_fragment"),
    path("runs/<int:pk>/confirm/", runs.run_confirm, name="run_confirm"),
    path("runs/<int:pk>/keep/", runs.run_keep, name="run_keep"),
    path("runs/<int:pk>/cancel/", runs.run_cancel, name="run_cancel"),
    path("runs/<int:pk>/log.txt", runs.run_output, name="run_output"),
    path("runs/<int:pk>/plan.sh", runs.run_shell, name="run_shell"),
    path("runs/<int:pk>/steps/<int:position>/", runs.run_step, name="run_step"),
    path("clusters/<slug:slug>/history/", history.history, name="history"),
    path(
        "clusters/<slug:slug>/history/<int:number>/", history.revision, name="revision"
    ),
    path(
        "clusters/<slug:slug>/history/<int:number>/load/",
        history.load,
        name="revision_load",
    ),
    # Drift: what hosts have against the newest revision
    path("clusters/<slug:slug>/drift/", drift.drift, name="drift"),
    path("clusters/<slug:slug>/drift/compare/", drift.compare, name="drift_compare"),
    path("clusters/<slug:slug>/drift/repair/", drift.repair, name="drift_repair"),
    path("clusters/<slug:slug>/drift/adopt/", drift.adopt, name="drift_adopt"),
    path("clusters/<slug:slug>/adopt/", adoption.adoption, name="adoption"),
    # Hosts: the list, one host, the wizard
    path("hosts/", hosts.hosts, name="hosts"),
    path("hosts/new/", host_setup.host_new, name="host_new"),
    path("hosts/<int:pk>/", hosts.host, name="host"),
    path("hosts/<int:pk>/access/", host_setup.host_access, name="host_access"),
    path("hosts/<int:pk>/sudoers/", host_setup.host_sudoers, name="host_sudoers"),
    path("hosts/<int:pk>/key/", host_setup.host_key, name="host_key"),
    path("hosts/<int:pk>/key/ask/", host_setup.host_key_fetch, name="host_key_fetch"),
    path("hosts/<int:pk>/rights/", host_setup.host_rights, name="host_rights"),
    path("hosts/<int:pk>/look/", hosts.look, name="host_look"),
    path("hosts/<int:pk>/edit/", hosts.edit, name="host_edit"),
    path("hosts/<int:pk>/remove/", hosts.remove, name="host_remove"),
    # Audit
    path("audit/", audit.audit, name="audit"),
    path("audit/verify/", audit.audit_verify, name="audit_verify"),
    re_path(
        r"^audit/export\.(?P<form>csv|jsonl)$", audit.audit_export, name="audit_export"
    ),
]
