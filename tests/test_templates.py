"""The Content-Security-Policy holds because no template needs an exception.

The policy itself is tested with the settings; this test names the line to mend.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
SCRIPTS = sorted((ROOT / "static" / "js").glob("*.js"))

FORBIDDEN = {
    "inline script": r"<script(?![^>]*\bsrc=)",
    "style element": r"<style\b",
    "style attribute": r"\sstyle=",
    "event attribute": r"\s(hx-)?on[a-z:-]+=",
    "evaluated htmx value": r"""=["']js(avascript)?:""",
    "htmx trigger filter": r"hx-trigger=[\"'][^\"']*\[",
    "address of another site": r"""(src|href|action|hx-(get|post))=["'](https?:)?//""",
    "text marked as safe": r"\|\s*safe\b|autoescape off",
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_no_template_has(name):
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in TEMPLATES
        for match in re.finditer(FORBIDDEN[name], path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_every_posting_form_carries_its_token():
    found = [
        str(path.relative_to(ROOT))
        for path in TEMPLATES
        for form in re.findall(
            r"<form\b[^>]*method=\"post\".*?</form>", path.read_text(), re.DOTALL
        )
        if "{% csrf_token %}" not in form
    ]
    assert found == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_script_writes_html_or_evaluates_text(path):
    unsafe = r"innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
    assert re.findall(unsafe, path.read_text(encoding="utf-8")) == []


def test_every_word_that_a_script_asks_for_exists():
    from cluster.context import WORDS

    asked = {
        word
        for path in SCRIPTS
        for word in re.findall(r"\bwords\.(\w+)", path.read_text(encoding="utf-8"))
    }
    assert asked
    assert asked <= set(WORDS)
