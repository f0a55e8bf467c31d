"""The place on a host for what shall outlast a reboot, or undo itself in time.

A person installs it once, as root: two units of systemd and a directory that belongs to
our user. From then on no right of root is needed to write there, and whatever is
written runs as that user: at boot as at any other time, sudo allows our commands only.
"""

from __future__ import annotations

import hashlib
import re
import sys
from dataclasses import dataclass
from typing import Any

from cluster.lvs import patch
from cluster.lvs.command import Command

USER = "piranha"
PLACE = "/etc/piranha-lvs"
BOOT_FILE = f"{PLACE}/boot.sh"
UNITS = "/etc/systemd/system"
BOOT_UNIT = "piranha-lvs.service"
RETURN_UNIT = "piranha-return@.service"
ENABLED = f"{UNITS}/multi-user.target.wants/{BOOT_UNIT}"
# Where systemd keeps the timers that systemd-run makes.
TRANSIENT = "/run/systemd/transient"

_TEXTS = {
    BOOT_UNIT: """\
[Unit]
Description=Piranha Web: bring back what was applied to this host
Wants=network-online.target
After=network-online.target
ConditionPathExistsGlob={place}/*.sh

[Service]
Type=oneshot
RemainAfterExit=yes
User={user}
# A run that nobody has confirmed before the reboot is forgotten first.
ExecStart=-/bin/sh -c 'for f in {place}/retur*.sh; do [ ! -e $$f ] || sh $$f boot; done'
ExecStart=/bin/sh -c '[ ! -e {place}/boot.sh ] || exec sh {place}/boot.sh'

[Install]
WantedBy=multi-user.target
""",
    RETURN_UNIT: """\
[Unit]
Description=Piranha Web: take back run %i, which nobody has confirmed
ConditionPathExists={place}/return-%i.sh

[Service]
Type=oneshot
User={user}
# Whoever takes the file away undoes the run: this timer or the dashboard, never both.
ExecStart=/bin/mv -T {place}/return-%i.sh {place}/returning-%i.sh
ExecStart=/bin/sh {place}/returning-%i.sh
""",
}


def units(user: str = USER) -> dict[str, str]:
    """Return the text of each unit by its name, for this user of ours."""
    return {
        name: text.replace("{user}", user).replace("{place}", PLACE)
        for name, text in _TEXTS.items()
    }


def install(user: str) -> str:
    """Return the commands, for root, that install units and directory; the first that
    fails is the last."""
    lines = []
    for name, text in units(user).items():
        lines += [
            f"install -m 0644 /dev/stdin {UNITS}/{name} <<'END' &&",
            text.rstrip("\n"),
            "END",
        ]
    lines += [
        f"install -d -m 0755 -o {user} -g {user} {PLACE} &&",
        f"systemctl daemon-reload && systemctl enable {BOOT_UNIT}",
    ]
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class BootPlace:
    """What is at the place: *ready* when everything is installed for our user.

    *digest* is that of the boot file, "" without one; *text* is its text where that
    was read, for the way back. *returns* names what is armed there,
    ``return-42.sh``, ``returning-42.sh`` or ``piranha-return@42.timer``.
    """

    ready: bool = False
    digest: str = ""
    text: str = ""
    returns: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "ready": self.ready,
            "digest": self.digest,
            "returns": list(self.returns),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> BootPlace:
        if not data:
            return cls()
        return cls(data["ready"], data["digest"], returns=tuple(data["returns"]))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# -- the question ---------------------------------------------------------------------

# The boot file of a large table is large: only its digest is asked for.
QUESTION = Command(
    (
        *("find", "-L", ENABLED, f"{UNITS}/{RETURN_UNIT}", PLACE, TRANSIENT),
        *("-maxdepth", "1", "-type", "d", "-path", PLACE),
        *("-writable", "-printf", r"ours\n", "-o", "-type", "f", "("),
        *("-name", "return*.sh", "-o", "-name", "piranha-return@*.timer", ")"),
        *("-printf", r"returns %f\n", "-o", "-type", "f", "("),
        *("-name", BOOT_UNIT, "-o", "-name", RETURN_UNIT, "-o", "-path", BOOT_FILE),
        *(")", "-exec", "sha256sum", "{}", ";"),
    )
)
_SUM = re.compile(r"([0-9a-f]{64})  \S+/(\S+)")
_NAME = BOOT_FILE.rpartition("/")[2]


def read(text: str, user: str = USER) -> BootPlace:
    """Read the answer; whoever is asked whether a file is there may say that it is
    not, so the exit status of ``find`` means nothing here."""
    expected = {name: digest(unit) for name, unit in units(user).items()}
    found, returns, ours = dict[str, str](), list[str](), False
    for line in text.splitlines():
        word, _, name = line.partition(" ")
        if told := _SUM.fullmatch(line):
            found[told[2]] = told[1]
        elif word == "returns":
            returns.append(name)
        ours |= word == "ours"
    boot = found.pop(_NAME, "")
    return BootPlace(ours and found == expected, boot, "", tuple(sorted(returns)))


# -- what writes there, as our own user -----------------------------------------------

# The digest keeps a text that was cut off on its way from being used; the rename lets
# a power cut leave the old file or the new one.
_USE = (
    'echo "$2  $1.new" | sha256sum -c --status'
    ' && sync "$1.new" && mv "$1.new" "$1" && sync "${1%/*}"'
)
_WRITE = f'cat >"$1.new" && {_USE}'
# What is there already may be asked for again: a patch fits only once.
_WRITE_BOOT = (
    f'LC_ALL=C awk -v old="$1" \'{patch.AWK}\' >"$1.new"'
    ' && if echo "$2  $1" | sha256sum -c --status 2>/dev/null; then rm "$1.new";'
    f" else {_USE}; fi"
)


def write_boot(text: str, old: str = "") -> Command:
    """Return the command that makes the text the boot file, or fails.

    Only what differs from the *old* text is sent, where that is shorter; if the host
    has another text meanwhile, the digest is wrong and that text stays.
    """
    sent = patch.patch(old, text)
    if sent is None or len(sent) >= len(text):
        sent = text
    return _write_boot(digest(text), sent)


def write_back(write: Command, old: str) -> Command:
    """Return the command that takes ``write_boot`` back to the old text."""
    sent = write.stdin.decode()
    back = patch.inverse(sent) if patch.is_patch(sent) else old
    return _write_boot(digest(old), back)


def _write_boot(expected: str, sent: str) -> Command:
    argv = ("sh", "-c", _WRITE_BOOT, "sh", BOOT_FILE, expected)
    return Command(argv, sent.encode())


# A timer without its file would do nothing, a file without its timer would wait for a
# reboot: either both or none.
_ARM = (
    f'{_WRITE} && {{ sudo -n systemd-run --quiet --unit="$3" --on-active="$4"'
    ' --timer-property=AccuracySec=100ms || { rm -f "$1"; exit 1; }; }'
)
_ARMED = re.compile(
    rf"{PLACE}/return-(?P<run>[0-9]{{1,9}})\.sh (?P<digest>[0-9a-f]{{64}})"
    r" piranha-return@(?P=run) [0-9]{1,5}"
)
_RETURN = re.compile(rf"{PLACE}/return-[0-9]{{1,9}}\.sh")


def return_file(run: int) -> str:
    return f"{PLACE}/return-{run}.sh"


def arm(run: int, seconds: int, text: str) -> Command:
    """Return the command that leaves the way back on the host, to be gone by itself
    after so many seconds unless the file is removed before."""
    path, unit = return_file(run), f"piranha-return@{run}"
    argv = ("sh", "-c", _ARM, "sh", path, digest(text), unit, str(seconds))
    return Command(argv, text.encode())


def timer(run: int, seconds: int) -> Command:
    """Return what ``arm`` asks of sudo."""
    return Command(
        (
            *("systemd-run", "--quiet", f"--unit=piranha-return@{run}"),
            *(f"--on-active={seconds}", "--timer-property=AccuracySec=100ms"),
        ),
        root=True,
    )


def remove(path: str) -> Command:
    return Command(("rm", path))


def writes_there(command: Command) -> bool:
    """Whether this is one of the commands above, as our own user."""
    if command.root:
        return False
    argv, text = command.argv, command.stdin.decode()
    sent = digest(text)
    if argv[:4] == ("sh", "-c", _WRITE_BOOT, "sh"):
        fits = re.fullmatch("[0-9a-f]{64}", argv[-1]) is not None
        return argv[4:-1] == (BOOT_FILE,) and (
            fits if patch.is_patch(text) else argv[-1] == sent
        )
    if argv[:4] == ("sh", "-c", _ARM, "sh"):
        found = _ARMED.fullmatch(" ".join(argv[4:]))
        return found is not None and found["digest"] == sent
    path = argv[-1]
    return argv == remove(path).argv and bool(
        path == BOOT_FILE or _RETURN.fullmatch(path)
    )


if __name__ == "__main__":
    sys.stdout.write(install(sys.argv[1] if sys.argv[1:] else USER) + "\n")
