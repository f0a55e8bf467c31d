"""What others write appears in the log, and can not pass for a record of ours."""

import logging

import pytest

from piranha_web.logs import LineFormatter, one_line


def record(message: str, *, error: BaseException | None = None) -> logging.LogRecord:
    trouble = (type(error), error, None) if error else None
    return logging.LogRecord("ssh", logging.INFO, "f", 1, message, (), trouble)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\nb", "a\\nb"),
        ("a\r\nb", "a\\r\\nb"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("nul\x00", "nul\\x00"),
        ("next\x85line", "next\\x85line"),
        ("para\u2029graph", "para\\u2029graph"),
        ("left\u202eright", "left\\u202eright"),
        ("负载均衡", "负载均衡"),
    ],
)
def test_control_characters_are_spelled_out(text, shown):
    assert one_line(text) == shown


def test_a_record_is_one_line_with_the_time_in_utc():
    line = LineFormatter().format(record("web1 said: ok\n2026-01-01 INFO forged"))
    assert "\n" not in line
    assert line.partition(" ")[0].endswith("Z")


def test_no_line_of_a_traceback_begins_like_a_record():
    text = LineFormatter().format(record("failed", error=ValueError("x\nforged")))
    first, *rest = text.split("\n")
    assert first.endswith("INFO ssh failed")
    assert rest
    assert all(line.startswith("    ") for line in rest)
