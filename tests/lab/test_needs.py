"""What a lab installs when it is booted for the first time; no lab is needed for it."""

import os
import subprocess
import sys
from pathlib import Path

LAB = Path(__file__).parents[2] / "lab"
INSTALL = "from labhost.needs import install_missing; install_missing(print)"
PROGRAMS = "linux.uml mmdebstrap mke2fs ip ssh unshare newuidmap gcc cc"
# Like the real one it refuses to run beside another.
APT = f"""\
#!/bin/sh
cd "${{0%/*}}"
echo "$*" >>asked
/bin/mkdir busy || exit 100
/bin/sleep 0.5
case $* in *install*) for name in {PROGRAMS}; do
  echo '#!/bin/sh' >$name; /bin/chmod +x $name
done;; esac
/bin/rmdir busy
"""


def test_two_labs_at_once_install_what_is_missing_once(tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "apt-get").write_text(APT)
    (programs / "apt-get").chmod(0o755)
    for name in ("env", "sudo"):
        (programs / name).write_text('#!/bin/sh\nexec /usr/bin/env "$@"\n')
        (programs / name).chmod(0o755)
    environment = os.environ | {
        "PATH": str(programs),
        "PYTHONPATH": str(LAB),
        "PIRANHA_LAB_CACHE": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-c", INSTALL]
    labs = [
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        for _lab in range(2)
    ]
    said = [one.communicate(timeout=30)[1] for one in labs]
    assert said == ["", ""]
    assert [one.returncode for one in labs] == [0, 0]
    asked = (programs / "asked").read_text().splitlines()
    assert [line.split()[2] for line in asked] == ["update", "install"]
