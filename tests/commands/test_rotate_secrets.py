"""Private keys are encrypted anew, all of them or none."""

import pytest
from cryptography.fernet import Fernet, InvalidToken
from django.core.management import CommandError, call_command

from cluster.models import AuditEvent, Credential
from tests.hosts import make_credential

pytestmark = pytest.mark.django_db


def sealed():
    return [bytes(c.sealed) for c in Credential.objects.order_by("pk")]


def test_the_old_key_is_needed_no_more(settings, capsys):
    old, new = settings.ENCRYPTION_KEYS[0], Fernet.generate_key()
    one, two = make_credential("one"), make_credential("two")
    private = [one.unseal(), two.unseal()]
    settings.ENCRYPTION_KEYS = [new, old]
    call_command("rotate_secrets")
    assert "2 keys are encrypted" in capsys.readouterr().out
    settings.ENCRYPTION_KEYS = [new]
    now = Credential.objects.order_by("pk")
    assert [credential.unseal() for credential in now] == private
    settings.ENCRYPTION_KEYS = [old]
    with pytest.raises(InvalidToken):
        now[0].unseal()
    assert AuditEvent.objects.count() == 1


def test_one_that_cannot_be_read_leaves_all_as_they_were(settings):
    make_credential("one")
    lost = make_credential("two")
    lost.sealed = Fernet(Fernet.generate_key()).encrypt(b"{}")
    lost.save()
    before = sealed()
    settings.ENCRYPTION_KEYS = [Fernet.generate_key(), *settings.ENCRYPTION_KEYS]
    with pytest.raises(CommandError, match="two cannot be decrypted"):
        call_command("rotate_secrets")
    assert sealed() == before
    assert not AuditEvent.objects.exists()


def test_a_secret_of_another_row_is_not_taken(settings):
    one, two = make_credential("one"), make_credential("two")
    one.sealed = two.sealed
    one.save()
    with pytest.raises(CommandError, match="one cannot be decrypted"):
        call_command("rotate_secrets")


def test_a_new_key_is_printed(capsys):
    call_command("rotate_secrets", "--new-key")
    Fernet(capsys.readouterr().out.strip())
