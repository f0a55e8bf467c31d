"""A script of ours, run by a real shell against a host that lives in memory."""

import json
import subprocess
import sys

from cluster.lvs.command import Command

# A sudo that writes down what it was asked, and fails where the test says so.
SUDO = """#!{python}
import json, sys
words = sys.argv[2:]
data = "" if sys.stdin.isatty() else sys.stdin.read()
with open("{log}", "a") as log:
    print(json.dumps([words, data]), file=log)
taken = {taken!r}
sys.exit(1 if words[:2] == ["arping", "-D"] and words[-1] in taken else 0)
"""


def run(folder, text, host, *words, taken=()):
    """Let the shell run *text*; the host gets what was asked of sudo."""
    log, sudo = folder / "log", folder / "sudo"
    log.write_text("")
    sudo.write_text(SUDO.format(python=sys.executable, log=log, taken=list(taken)))
    sudo.chmod(0o755)
    path = folder / "script.sh"
    path.write_text(text)
    done = subprocess.run(
        ["sh", str(path), *words],
        env={"PATH": f"{folder}:/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    for line in log.read_text().splitlines():
        argv, data = json.loads(line)
        answer = host(Command(tuple(argv), data.encode(), root=True))
        assert not answer.stderr, (argv, answer)
    return done
