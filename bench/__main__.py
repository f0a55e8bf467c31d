"""Run the measures and report: ``python -m bench [NAME ...]``."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from typing import Any

from bench import lab, machine
from bench.result import missed

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
PATIENCE = 30 * 60  # seconds for one file of measures


def main(wanted: list[str]) -> int:
    """Return 1 when anything is short, 2 when a name is unknown."""
    known = sorted(path.stem for path in (HERE / "measures").glob("[a-z]*.py"))
    if unknown := set(wanted) - set(known):
        print(f"No such measure: {', '.join(sorted(unknown))}. There are: {known}")
        return 2
    RESULTS.mkdir(exist_ok=True)
    began = time.strftime("%Y-%m-%dT%H-%M-%S")
    report: dict[str, Any] = {"machine": machine.described(), "results": []}
    with lab.as_it_was():
        for name in wanted or known:
            for entry in run(name):
                print(entry["line"], flush=True)
                report["results"].append(entry)
    path = RESULTS / f"{began}.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    short = sum(not entry["ok"] for entry in report["results"])
    count = len(report["results"])
    print(f"{count - short} of {count} ok; details: {path.relative_to(HERE.parent)}")
    return 1 if short else 0


def run(name: str) -> Iterator[dict[str, Any]]:
    """Yield the results of one file, in a process of its own."""
    log = RESULTS / f"{name}.log"
    with log.open("w") as complaints:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.one", name],
            cwd=HERE.parent,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        )
        timer = Timer(PATIENCE, process.kill)
        timer.start()
        assert process.stdout
        try:
            for line in process.stdout:
                yield json.loads(line)
            if process.wait():
                last = (log.read_text().strip().splitlines() or ["it was stopped"])[-1]
                yield missed(name, f"ended with {process.returncode}: {last}")
        finally:
            timer.cancel()
            process.kill()
            process.wait()


sys.exit(main(sys.argv[1:]))
