"""Run one file of measures: ``python -m bench.one NAME``; each result a line of JSON.

Only results go to standard output; whatever a measure prints itself goes to stderr.
"""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import replace
from importlib import import_module

from bench.result import CannotRun, missed


def main(name: str) -> None:
    out = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        try:
            for result in import_module(f"bench.measures.{name}").measure():
                whole = replace(result, name=f"{name}.{result.name}")
                print(json.dumps(whole.as_json()), file=out, flush=True)
        except CannotRun as error:
            print(json.dumps(missed(name, str(error))), file=out, flush=True)


main(sys.argv[1])
