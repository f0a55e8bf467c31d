"""Files on hosts that take minutes: they begin first, in make test-hosts.

The short ones fill up what is left at the end, so that no process is alone with a long one.
"""

from pathlib import Path

# In seconds, on two cores.
SECONDS = {
    "lab/test_modes.py": 440,
    "lab/test_kill.py": 400,
    "lab/test_service.py": 320,
    "browser/test_walk.py": 310,
    "lab/test_lab.py": 180,
    "browser/test_live.py": 180,
    "lab/test_ipv6.py": 150,
    "lab/test_instances.py": 130,
    "lab/test_files.py": 90,
    "lab/test_marks.py": 80,
    "lab/test_look.py": 80,
    "lab/test_privileges.py": 80,
}


def seconds(path: Path) -> int:
    """Return what a file of tests is known to take, 0 when it is short."""
    return SECONDS.get("/".join(path.parts[-2:]), 0)
