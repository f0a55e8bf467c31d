"""What must not be in the source: each line is a hole that some product had."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Each breaks the Content-Security-Policy, or shows the text of others as markup.
IN_TEMPLATES = {
    "an inline style": r"""\sstyle\s*=""",
    "an inline script": r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>",
    "an event attribute": r"""<[^>]*\son[a-z]+\s*=""",
    "hx-on": r"\bhx-on\b",
    "an evaluated value": r"""\bhx-(vals|headers|vars)\s*=\s*["']\s*js:""",
    "an evaluated trigger filter": r"""\bhx-trigger\s*=\s*["'][^"']*\[""",
    "unescaped text": r"\|\s*safe\b|autoescape\s+off",
    "a file of another host": r"""(src|href)\s*=\s*["'](https?:)?//""",
}
IN_SOURCE = {
    "a host key nobody saw": r"AutoAddPolicy|WarningPolicy",
    "a form without its token": r"\bcsrf_exempt\b",
    "text of others as markup": r"\bmark_safe\b|\bSafeString\(",
    "a shell on this machine": r"shell\s*=\s*True|\bos\.system\b|\bos\.popen\b",
    "a pickle": r"\bimport pickle\b|\bpickle\.loads?\b",
    "unsafe YAML": r"yaml\.(unsafe_)?load\(",
}


def templates() -> Iterator[Path]:
    yield from sorted((ROOT / "templates").rglob("*.html"))


def sources() -> Iterator[Path]:
    for name in ("cluster", "piranha_web"):
        yield from sorted((ROOT / name).rglob("*.py"))


def found_in(text: str, patterns: dict[str, str]) -> list[str]:
    return [
        f"{name}: {match.group(0)!r}"
        for name, pattern in patterns.items()
        if (match := re.search(pattern, text, re.IGNORECASE))
    ]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", list(templates()), ids=relative)
def test_a_template_has_nothing_that_the_policy_forbids(path):
    assert found_in(path.read_text(encoding="utf-8"), IN_TEMPLATES) == []


@pytest.mark.parametrize("path", list(sources()), ids=relative)
def test_a_source_has_no_known_hole(path):
    assert found_in(path.read_text(encoding="utf-8"), IN_SOURCE) == []


@pytest.mark.parametrize("path", list(sources()), ids=relative)
def test_only_the_supervisor_starts_processes(path):
    if "supervisor" not in path.parts:
        assert not re.search(r"\bsubprocess\b|\bos\.exec", path.read_text())


@pytest.mark.parametrize(
    "bad",
    [
        '<p style="color: red">',
        "<script>alert(1)</script>",
        "<a onclick='x()'>",
        '<div hx-on:click="x">',
        """<div hx-vals='js:{a: b()}'>""",
        '<div hx-trigger="keyup[ctrlKey]">',
        "{{ text|safe }}",
        '<script src="https://cdn.example/x.js"></script>',
    ],
)
def test_the_guard_sees_each_forbidden_thing(bad):
    assert found_in(bad, IN_TEMPLATES)


def test_no_private_key_and_no_password_is_in_the_repository():
    pattern = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/=]{20}")
    held = [
        path
        for folder in ("cluster", "piranha_web", "templates", "static", "lab", "docs")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.is_file()
        and pattern.search(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert held == []
