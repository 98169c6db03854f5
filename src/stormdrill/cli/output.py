"""Writing to a stdout or stderr whose reader may have left (`stormdrill ... | head`, a closed terminal)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """Inside the block a closed stdout silences what is printed; nothing else changes."""
    try:
        yield
        sys.stdout.flush()
    except OSError:
        _silence(sys.stdout)


def complain(text: object) -> None:
    """One message on stderr, if anybody is there to read it."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def let_go() -> None:
    """Before the end: what cannot be written any more is dropped, so that the exit code stays ours."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _silence(stream)


class Forgiving:
    """A terminal that may go away: what cannot be written is dropped, and nobody is interrupted by it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = stream.encoding

    def write(self, text: str) -> int:
        """Write if it can be written."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush if it can be flushed."""
        with suppress(OSError):
            self._stream.flush()

    def isatty(self) -> bool:
        """As the stream itself says."""
        return self._stream.isatty()


def _silence(stream: TextIO) -> None:
    with suppress(OSError):  # a stream without a file (io.UnsupportedOperation) needs no silencing
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
