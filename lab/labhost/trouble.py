"""What can go wrong, as sentences for the person at the terminal."""

from __future__ import annotations


class Trouble(Exception):
    """Something failed that can be put right; the text says what."""

    exit_code = 1


class Impossible(Trouble):
    """User-Mode Linux cannot be had on this system."""

    exit_code = 3


def last_line(text: str) -> str:
    """Where most programs say why they failed."""
    return text.strip().rpartition("\n")[2]
