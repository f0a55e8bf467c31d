"""A file that outgrows 400 lines and a function that outgrows 50 are taken apart."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LONGEST_FILE = 400
LONGEST_FUNCTION = 50


def sources() -> Iterator[Path]:
    for name in ("cluster", "piranha_web", "lab", "bench", "tests"):
        for path in sorted((ROOT / name).rglob("*.py")):
            if not {"migrations", ".venv"} & set(path.parts):
                yield path


def too_long(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    found = [f"{path}: {lines} lines"] if lines > LONGEST_FILE else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                found.append(f"{path}:{node.lineno}: {node.name} has {length} lines")
    return found


@pytest.mark.parametrize(
    "path", list(sources()), ids=lambda path: str(path.relative_to(ROOT))
)
def test_the_file_and_its_functions_are_short(path):
    assert too_long(path) == []


def test_a_long_function_and_a_long_file_are_found(tmp_path):
    path = tmp_path / "long.py"
    path.write_text("def f():\n" + "    pass\n" * 50 + "\n" * 400)
    assert len(too_long(path)) == 2
