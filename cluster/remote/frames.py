"""Cut an endless stream of bytes into frames. No I/O.

A frame is a body, one byte 0x1E (ASCII "record separator"), the sequence number
and the sender's clock, and a newline::

    <body>\\x1e17 1764000000.482113\\n

A remote loop prints it with ``printf '\\036%s %s\\n' "$n" "$EPOCHREALTIME"``.
"""

import math
from dataclasses import dataclass

MARK = b"\x1e"
LARGEST = 16 * 1024 * 1024
LONGEST_TRAILER = 128


class FrameError(ValueError):
    """The bytes are not frames, or one is too large; the stream is of no use."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole frame; `sent_at` is the sender's clock, seconds since the epoch."""

    body: bytes
    sequence: int
    sent_at: float


class FrameReader:
    """Feed it chunks as they come; what is not whole yet stays inside."""

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest = largest
        self._held = bytearray()
        # Where to look next, so that a large frame in many chunks is searched once.
        self._searched = 0

    def feed(self, data: bytes) -> list[Frame]:
        self._held += data
        frames = []
        while (frame := self._next()) is not None:
            frames.append(frame)
        return frames

    def _next(self) -> Frame | None:
        held = self._held
        mark = held.find(MARK, self._searched)
        if max(mark, 0 if mark >= 0 else len(held)) > self._largest:
            raise FrameError(f"a frame is larger than {self._largest} bytes")
        if mark < 0:
            self._searched = len(held)
            return None
        end = held.find(b"\n", mark, mark + LONGEST_TRAILER)
        if end < 0:
            if len(held) - mark >= LONGEST_TRAILER:
                raise FrameError("the line at the end of a frame is too long")
            self._searched = mark
            return None
        sequence, sent_at = _trailer(bytes(held[mark + 1 : end]))
        frame = Frame(bytes(held[:mark]), sequence, sent_at)
        del held[: end + 1]
        self._searched = 0
        return frame


def _trailer(line: bytes) -> tuple[int, float]:
    try:
        number, clock = line.split()
        sequence, sent_at = int(number), float(clock)
    except ValueError as error:
        raise FrameError(f"not the end of a frame: {line!r}") from error
    if not math.isfinite(sent_at):
        raise FrameError(f"not a time: {clock!r}")
    return sequence, sent_at
