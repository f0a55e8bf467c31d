"""Write what a cluster wants as a file that can be kept in git (docs/files.md)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from cluster import wish_file
from cluster.management.base import Answer, ClusterCommand, Stopped
from cluster.management.output import Exit
from cluster.management.wish import document_of
from cluster.models import Cluster


class Command(ClusterCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--file", type=Path, help="write here, not to stdout")

    def answer(self, cluster: Cluster, options: dict[str, Any]) -> Answer:
        document = document_of(cluster)
        text = wish_file.dump(document)
        if options["file"]:
            _write(options["file"], text)
        elif not self.output.as_json:
            self.stdout.write(text)
        return Answer(data={"document": document})


def _write(path: Path, text: str) -> None:
    """Replace the file whole, so that nobody ever reads half of it."""
    path = path.resolve()  # a link stays one
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        with tempfile.NamedTemporaryFile(
            "w",
            encoding="utf-8",
            dir=path.parent,
            prefix=f".{path.name}.",
            delete=False,
        ) as new:
            new.write(text)
        Path(new.name).chmod(mode)
        Path(new.name).replace(path)
    except OSError as error:
        text = _("%(path)s cannot be written: %(why)s.")
        values = {"path": path, "why": error.strerror}
        raise Stopped(Exit.ERROR, text % values) from error
