"""The way back that a host is given before a run, run by a real shell."""

import subprocess
from dataclasses import replace

import pytest

from cluster.lvs import arming, boot_place
from cluster.lvs.boot_place import BOOT_FILE, BootPlace
from cluster.lvs.host import Footprint
from cluster.lvs.patch import patched
from cluster.lvs.plan import plan
from cluster.lvs.privileges import allowed
from cluster.lvs.wish import host_wishes
from tests import shell_on_host
from tests.build import service, wish
from tests.lvs.test_boot_file import READY, hosts, modes
from tests.model_host import ModelHost

RUN, SECONDS = 42, 120


def made(states, wishes, footprints=None):
    found = plan(states, wishes, footprints or {})
    return found, arming.armed(found, states, RUN, SECONDS)


def local(text, folder):
    """Let the script write below the folder instead of /etc/piranha-lvs."""
    return text.replace("/etc/piranha-lvs", str(folder))


@pytest.mark.parametrize("services", modes().values(), ids=modes())
def test_the_script_undoes_what_the_run_did(tmp_path, services):
    states = hosts()
    wishes = host_wishes(wish(*services), states)
    found, armed = made(states, wishes)
    for step in armed.changes[: len(found.hosts)]:
        host = ModelHost(states[step.host])
        for change in found.changes:
            if change.host == step.host:
                assert host(change.command).ok
        assert host.state != states[step.host]
        (tmp_path / "boot.sh").write_text(host.state.boot.text)
        text = local(step.command.stdin.decode(), tmp_path)
        done = shell_on_host.run(tmp_path, text, host)
        assert (done.returncode, done.stderr) == (0, "")
        assert not (tmp_path / "boot.sh").exists()
        assert not (tmp_path / "script.sh").exists(), "it takes itself away"
        after = replace(host.state, boot=READY)
        assert after.as_json() == states[step.host].as_json()


@pytest.mark.parametrize("state", ["new", "old", "by hand"])
def test_the_boot_file_from_before_comes_back(tmp_path, state):
    """What somebody has written there meanwhile stays."""
    states = {"lb01": hosts()["lb01"]}
    first = plan(states, host_wishes(wish(service()), states), {})
    old = first.changes[-1].command.stdin.decode()
    there = BootPlace(True, boot_place.digest(old), old)
    states = {"lb01": replace(states["lb01"], boot=there)}
    found, armed = made(states, host_wishes(wish(service(port=443)), states))
    new = patched(old, found.changes[-1].command.stdin.decode())
    texts = {"new": new, "old": old, "by hand": "echo by hand\n"}
    (tmp_path / "boot.sh").write_text(local(texts[state], tmp_path))
    # A here-document is read to its end, though it holds one itself.
    text = local(armed.changes[0].command.stdin.decode(), tmp_path)
    changed = local(old, tmp_path)
    text = text.replace(boot_place.digest(old), boot_place.digest(changed))
    done = shell_on_host.run(tmp_path, text, ModelHost(states["lb01"]), "boot")
    left = texts["by hand"] if state == "by hand" else changed
    assert (tmp_path / "boot.sh").read_text() == left
    assert ("failed" in done.stderr) == (state == "by hand")


def test_after_a_reboot_only_the_boot_file_is_taken_back(tmp_path):
    states = hosts()
    _found, armed = made(states, host_wishes(wish(service()), states))
    step = next(c for c in armed.changes if c.host == "lb01")
    text = local(step.command.stdin.decode(), tmp_path)
    (tmp_path / "boot.sh").write_text("new")
    host = ModelHost(states["lb01"])
    done = shell_on_host.run(tmp_path, text, host, "boot")
    assert done.returncode == 0
    assert host.writes == []
    assert not (tmp_path / "boot.sh").exists()
    assert not (tmp_path / "script.sh").exists()


def test_every_command_of_it_is_allowed_and_the_call_itself():
    states = hosts()
    _found, armed = made(states, host_wishes(wish(service()), states))
    arms = [c for c in armed.changes if arming.is_arming(c)]
    assert {step.host for step in arms} == {"lb01", "web1"}
    for step in arms:
        role = "director" if step.host == "lb01" else "real_server"
        assert allowed(role, step.command)
        assert allowed(role, step.undo)
        other = replace(step.command, stdin=step.command.stdin + b"id\n")
        assert not allowed(role, other)
        argv = (*step.command.argv[:5], boot_place.digest(other.stdin.decode()))
        other = replace(other, argv=(*argv, *step.command.argv[6:]))
        assert not allowed(role, other), "id is none of our commands"
        argv = tuple(w.replace("return-42", "../x") for w in step.command.argv)
        assert not allowed(role, replace(step.command, argv=argv))
    assert allowed("director", boot_place.timer(RUN, SECONDS))


def test_a_host_that_is_not_prepared_is_named_and_not_armed():
    states = hosts()
    states["web1"] = replace(states["web1"], boot=BootPlace())
    found, armed = made(states, host_wishes(wish(service()), states))
    hosts_armed = [c.host for c in armed.changes if arming.is_arming(c)]
    assert hosts_armed == ["lb01"]
    (reason,) = arming.defenceless(found, states)
    assert "web1 cannot return" in str(reason)


def test_what_is_armed_is_told_by_the_files_and_the_timer():
    states = hosts()
    _found, armed = made(states, host_wishes(wish(service()), states))
    step = next(c for c in armed.changes if c.host == "lb01")
    host = ModelHost(states["lb01"])
    assert not arming.in_force(step, host.state)
    assert host(step.command).ok
    assert arming.in_force(step, host.state)
    assert arming.waits(step, host.state)
    assert host(step.undo).ok
    assert not arming.in_force(step, host.state)
    assert not arming.waits(step, host.state)
    at_work = BootPlace(True, returns=("returning-42.sh",))
    assert arming.is_at_work(step, replace(host.state, boot=at_work))
    assert not arming.is_at_work(step, states["lb01"])


def test_nothing_to_change_arms_nobody():
    states = hosts()
    _found, armed = made(states, {}, {"lb01": Footprint()})
    assert armed.changes == ()


def test_the_call_leaves_nothing_when_systemd_refuses(tmp_path):
    step = boot_place.arm(RUN, SECONDS, "true\n")
    argv = [local(word, tmp_path) for word in step.argv]
    log = tmp_path / "log"
    for status in (1, 0):
        sudo_that_ends_with(tmp_path, log, status)
        done = subprocess.run(
            argv,
            input=step.stdin,
            env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
            check=False,
        )
        assert done.returncode == status
        assert (tmp_path / "return-42.sh").exists() == (status == 0)
    expected = " ".join(boot_place.timer(RUN, SECONDS).argv)
    assert log.read_text() == f"-n {expected}\n" * 2
    assert BOOT_FILE not in argv


def sudo_that_ends_with(folder, log, status):
    sudo = folder / "sudo"
    sudo.write_text(f'#!/bin/sh\necho "$*" >> {log}\nexit {status}\n')
    sudo.chmod(0o755)
