"""What is written down about a host that cannot be used."""

import pytest

from cluster.control.trouble import clear_trouble, record_trouble
from cluster.host_condition import Condition, condition_of
from cluster.lvs import words
from cluster.models import AuditEvent, Host, HostEvent
from cluster.remote.shell import (
    HostKey,
    HostKeyChanged,
    HostKeyUnknown,
    LoginRefused,
    OutcomeUnknown,
    RemoteError,
    Unreachable,
)
from tests.hosts import KEY, OTHER_KEY, make_host

pytestmark = pytest.mark.django_db
CHANGED = HostKeyChanged(
    "web1", "not the host", HostKey.parse(KEY), HostKey.parse(OTHER_KEY)
)
CASES = [
    (Unreachable("web1", "web1 is off."), Condition.UNREACHABLE, "firewall"),
    (LoginRefused("web1", "web1 refused."), Condition.LOGIN_REFUSED, "authorized_keys"),
    (HostKeyUnknown("web1", "Not yet."), Condition.KEY_NOT_ACCEPTED, "fingerprint"),
    (CHANGED, Condition.KEY_CHANGED, "installed anew"),
    (OutcomeUnknown("web1", "web1 is late."), Condition.NO_ANSWER, "by hand"),
    (
        RemoteError("web1", "answers 'ipvsadm' with: sudo: a password is required"),
        Condition.RIGHTS_MISSING,
        "1.9.10",
    ),
]


@pytest.mark.parametrize(("error", "kind", "hint"), CASES, ids=lambda v: str(v)[:20])
def test_it_says_what_failed_and_what_to_do(error, kind, hint):
    host = make_host()
    sentence = record_trouble(host, error)
    host.refresh_from_db()
    assert host.trouble["kind"] == kind.value
    assert words.from_json(host.trouble) == sentence
    assert hint in str(words.from_json(host.trouble["advice"]))
    assert condition_of(host) is kind


def test_nothing_sent_is_said_for_a_host_that_is_off():
    assert "Nothing was sent" in str(record_trouble(make_host(), CASES[0][0]))


def test_the_time_is_that_of_the_first_failure():
    host = make_host()
    record_trouble(host, CASES[0][0])
    since = host.trouble_at
    record_trouble(host, CASES[0][0])
    assert Host.objects.get(pk=host.pk).trouble_at == since
    record_trouble(host, CHANGED)
    assert Host.objects.get(pk=host.pk).trouble_at > since


def test_a_changed_key_is_kept_beside_the_accepted_one_and_audited_once():
    host = make_host()
    record_trouble(host, CHANGED)
    record_trouble(host, CHANGED)
    host.refresh_from_db()
    assert (host.host_key, host.offered_key) == (KEY, OTHER_KEY)
    assert AuditEvent.objects.filter(host="web1").count() == 1


def test_a_host_that_is_too_old_in_memory_does_not_overwrite_its_row():
    host = make_host()
    Host.objects.filter(pk=host.pk).update(name="renamed")
    record_trouble(host, CASES[0][0])
    assert Host.objects.get(pk=host.pk).name == "renamed"


def test_an_answer_clears_it():
    host = make_host()
    record_trouble(host, CHANGED)
    clear_trouble(host)
    host.refresh_from_db()
    assert (host.trouble, host.trouble_at, host.offered_key) == (None, None, "")


def test_a_removed_host_is_no_fault():
    host = make_host()
    gone = Host.objects.get(pk=host.pk)
    host.delete()
    record_trouble(gone, CASES[0][0])
    clear_trouble(gone)


def test_a_host_that_is_lost_and_back_leaves_two_marks_on_the_time_line():
    host = make_host()
    for _again in range(2):
        record_trouble(host, CASES[0][0])
    for _again in range(2):
        clear_trouble(host)
    record_trouble(host, CASES[1][0])  # it answers, but lets nobody in
    clear_trouble(host)
    kinds = HostEvent.objects.filter(host=host).values_list("kind", flat=True)
    assert list(kinds) == ["lost", "back"]
