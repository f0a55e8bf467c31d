"""One log record starts one line: what others write can not forge a second one."""

import logging
import time
from typing import Any

_ESCAPES = {
    code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F, *range(0x80, 0xA0))
} | {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}
# Unicode has line ends of its own, and marks that turn the reading direction.
_ESCAPES |= {
    code: f"\\u{code:04x}"
    for code in (0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


def one_line(text: str) -> str:
    r"""Return the text with every control character spelled out: ``a\nb``."""
    return text.translate(_ESCAPES)


class LineFormatter(logging.Formatter):
    """``2026-11-23T09:30:01.123Z INFO cluster.tasks message``.

    A traceback follows in indented lines, which no record starts with.
    """

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name} {message}", style="{")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return one_line(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802
        lines = super().formatException(ei).split("\n")
        return "\n".join(f"    {one_line(line)}" for line in lines)
