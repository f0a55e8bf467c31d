import pytest
from django.core.management import CommandError, call_command


@pytest.mark.parametrize("role", ["director", "real_server", "probe"])
def test_it_prints_the_file_for_a_role_and_a_user(role, capsys):
    call_command("sudoers", role, "--user", "lvs")
    text = capsys.readouterr().out
    assert "lvs ALL=(root:root) NOPASSWD:" in text
    assert "piranha ALL" not in text


def test_a_user_name_cannot_bring_rules_of_its_own():
    with pytest.raises(CommandError, match="user name"):
        call_command("sudoers", "probe", "--user", "x ALL=(ALL) ALL\ny")


def test_an_unknown_role_is_refused():
    with pytest.raises(CommandError):
        call_command("sudoers", "everything")
