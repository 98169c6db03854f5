"""Reading container logs: the last lines, from a moment on, and following what comes."""

from __future__ import annotations

import bisect
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from stormlab.node.context import log
from stormlab.wait import pause, ticks

_BLOCK = 65536
_POLL_S = 0.1
_LARGEST = 64 * 1024**2
_KEPT = 8 * 1024**2


class LogClock:
    """When how much was in each log, to one second: the files hold the programs' bytes and no times."""

    def __init__(self, directories: Callable[[], Iterable[Path]]) -> None:
        self._directories = directories
        self._marks: dict[Path, list[tuple[float, int]]] = {}

    async def run(self) -> None:
        """Take notes for ever, and shorten logs that grow without end."""
        async for _ in ticks(1.0):
            self.note(time.time())

    def note(self, now: float) -> None:
        """Remember the present size of each log."""
        found: dict[Path, list[tuple[float, int]]] = {}
        for path in (path for directory in self._directories() for path in _logs_in(directory)):
            try:
                size = path.stat().st_size
            except OSError:
                continue
            marks = self._marks.get(path, [])
            if marks and marks[-1][1] > size:
                marks = []  # a new run of the container, or shortened
            if not marks or marks[-1][1] != size:
                marks.append((now, size))
            found[path] = marks[-100_000:]
            if size > _LARGEST:
                with suppress(FileNotFoundError):
                    _shorten(path)
        self._marks = found

    def offset_at(self, path: Path, moment: float) -> int:
        """Where in the log the bytes written after `moment` (Unix seconds) begin, at most a second early."""
        marks = self._marks.get(path, [])
        index = bisect.bisect_right(marks, (moment, 1 << 62))
        return marks[index - 1][1] if index else 0

    def written_at(self, path: Path, offset: int) -> float:
        """When the byte at `offset` was written, Unix seconds, at most a second late.

        Of what an earlier node process saw written nothing is known but that it was before this one began.
        """
        for moment, size in self._marks.get(path, []):
            if size > offset:
                return moment
        return time.time()


def _logs_in(directory: Path) -> list[Path]:
    """The logs of a pod; none when it is being removed at this very moment, which Path.glob may raise for."""
    try:
        return [directory / name for name in os.listdir(directory) if name.endswith(".log")]  # noqa: PTH208
    except OSError:
        return []


def _shorten(path: Path) -> None:
    """Keep the end of a log. Lines written meanwhile may be lost; programs append, so no hole appears."""
    log.warning("%s is over %d MB: only its end is kept", path, _LARGEST >> 20)
    with path.open("r+b") as file:
        file.seek(-_KEPT, os.SEEK_END)
        kept = file.read()
        file.truncate(0)
    with path.open("ab") as file:
        file.write(kept)


def tail_offset(path: Path, lines: int) -> int:
    """Where the last `lines` lines of the file begin."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        position, seen = end, 0
        while position > 0:
            start = max(0, position - _BLOCK)
            file.seek(start)
            block = file.read(position - start)
            for index in range(len(block) - 1, -1, -1):
                # The newline that ends the last line does not begin another.
                if block[index] == 0x0A and start + index != end - 1:
                    seen += 1
                    if seen == lines:
                        return start + index + 1
            position = start
    return end if lines == 0 else 0


async def read(path: Path, offset: int, *, follow: bool) -> AsyncIterator[bytes]:
    """Yield the log from `offset`; with `follow` what comes, until the run is over."""
    with path.open("rb") as file:
        file.seek(offset)
        while True:
            if block := file.read(_BLOCK):
                yield block
            elif follow and _goes_on(path, file):
                await pause(_POLL_S)
            else:
                return


async def stamped(
    blocks: AsyncIterator[bytes], offset: int, written_at: Callable[[int], float]
) -> AsyncIterator[bytes]:
    """The same, each line with the time at which it was written before it; `offset` is where they begin."""
    within = False
    async for block in blocks:
        told = bytearray()
        for line in re.findall(rb"[^\n]*\n|[^\n]+", block):
            if not within:
                moment = datetime.fromtimestamp(written_at(offset), UTC)
                told += moment.strftime("%Y-%m-%dT%H:%M:%S.%f000Z ").encode()
            told += line
            offset += len(line)
            within = not line.endswith(b"\n")
        yield bytes(told)


async def bounded(blocks: AsyncIterator[bytes], limit: int | None) -> AsyncIterator[bytes]:
    """At most `limit` bytes of them."""
    left = limit
    async for block in blocks:
        yield block if left is None else block[:left]
        if left is not None and (left := left - len(block)) <= 0:
            return


def _goes_on(path: Path, file: BinaryIO) -> bool:
    """Whether the open file is still the container's log; a shortened one is read from its beginning."""
    try:
        found = path.stat()
    except OSError:
        return False  # the pod is gone
    if found.st_ino != os.fstat(file.fileno()).st_ino:
        return False  # the container was started anew: this stream has ended
    if file.tell() > found.st_size:
        file.seek(0)
    return True
