import pytest
from django.core.management import CommandError, call_command


def test_it_prints_the_commands_with_both_units_for_a_user(capsys):
    call_command("boot_units", "--user", "lvs")
    text = capsys.readouterr().out
    assert text.count("User=lvs") == 2
    assert "-o lvs -g lvs" in text
    assert "piranha\n" not in text


def test_a_user_name_cannot_bring_lines_of_its_own():
    with pytest.raises(CommandError, match="user name"):
        call_command("boot_units", "--user", "x\nExecStart=/bin/sh")
