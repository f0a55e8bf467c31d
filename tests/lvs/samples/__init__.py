"""What real hosts printed. A file is named after the command or the file it shows."""

from pathlib import Path

HERE = Path(__file__).parent


def sample(name: str, distribution: str = "debian12") -> str:
    return (HERE / distribution / name).read_text()
