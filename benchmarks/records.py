"""Records of requests: appending one, reading a million back, and judging a whole run with a million of them."""

from __future__ import annotations

import os
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figure import Figure, in_turn
from stormdrill.judge import judge
from stormdrill.measure import measure
from stormdrill.records import reader
from stormdrill.records.layout import HEADER_BYTES, REQUEST, Flag
from stormdrill.records.writer import RequestLog, header
from stormdrill.store import Run

_GOLDEN = Path(__file__).parents[1] / "tests" / "golden"
_MILLION = 1_000_000
_APPENDED = 100_000


def appending() -> Iterator[Figure]:
    """A record with its CRC, written at once, beside the bare write of as many bytes."""
    with tempfile.TemporaryDirectory() as directory:
        files = (Path(directory, f"{number}.rec") for number in range(100))
        ours_s, plain_s = in_turn(lambda: _append_records(next(files)), lambda: _append_bytes(next(files)))
    scale = 1e6 / _APPENDED
    yield Figure(
        "records.append_us",
        "us",
        ours_s * scale,
        plain_s * scale,
        "one record with CRC; plain: write() of 64 bytes",
    )


def _append_records(path: Path) -> float:
    log = RequestLog(path, _builder().legend("requests"))

    def work() -> None:
        for seq in range(_APPENDED):
            log.append(
                seq=seq, due_ns=seq, sent_ns=seq, answered_ns=seq, session=1, operation=1, cell=0, attempt=1,
                outcome=0, reason=0, site=0, flags=1, status=200,
            )  # fmt: skip

    took_s = _cpu_s(work)
    log.close()
    return took_s


def _append_bytes(path: Path) -> float:
    body = bytes(REQUEST.itemsize)
    with path.open("wb", buffering=0) as file:
        fd = file.fileno()

        def work() -> None:
            for _ in range(_APPENDED):
                os.write(fd, body)

        return _cpu_s(work)


def reading() -> Iterator[Figure]:
    """A million records with every CRC checked, beside a loop of zlib.crc32 over the same file."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "load-0.rec")
        path.write_bytes(header(_builder().legend("requests")) + _rows(0).tobytes())
        ours_s, plain_s = in_turn(
            lambda: _cpu_s(lambda: reader.read_file(path)), lambda: _cpu_s(lambda: _check_one_by_one(path)), 3
        )
    yield Figure(
        "records.read_1m_s", "CPU s", ours_s, plain_s, "a million CRCs checked; plain: loop of zlib.crc32"
    )


def _check_one_by_one(path: Path) -> None:
    raw, size = path.read_bytes(), REQUEST.itemsize
    for start in range(HEADER_BYTES, len(raw), size):
        body = raw[start : start + size]
        if zlib.crc32(body[:-4]) != int.from_bytes(body[-4:], "little"):
            raise ValueError("a damaged record")


def judging() -> Iterator[Figure]:
    """A run of a million requests measured and judged, beside one pass of numpy over the same file."""
    builder = _builder()
    with tempfile.TemporaryDirectory() as directory:
        run, _ = builder.build(Path(directory, "run"), builder.Scene(after_s=60.0))
        path = run.requests / "load-0.rec"
        path.write_bytes(header(builder.legend("requests")) + _rows(builder.T0).tobytes())
        ours_s, plain_s = in_turn(
            lambda: _cpu_s(lambda: _judge(run)), lambda: _cpu_s(lambda: _count_per_second(path)), 3
        )
    what = (
        "a million requests measured and judged; plain: the file read, outcomes counted per second by numpy"
    )
    yield Figure("measure.1m_s", "CPU s", ours_s, plain_s, what)


def _judge(run: Run) -> None:
    if measure(run).records.requests != _MILLION:
        raise ValueError("not every request was measured")
    judge(run)


def _count_per_second(path: Path) -> None:
    rows = np.fromfile(path, REQUEST, offset=HEADER_BYTES)
    seconds = (rows["due_ns"] - rows["due_ns"].min()) // 1_000_000_000
    np.bincount(seconds * 16 + rows["outcome"])


def _rows(t0_ns: int) -> Any:
    """A million answered probes from 22 s before `t0_ns` to 60 s after it."""
    rows: Any = np.zeros(_MILLION, REQUEST)
    rows["seq"] = np.random.default_rng(1).permutation(_MILLION)
    rows["due_ns"] = t0_ns + np.linspace(-22e9, 60e9, _MILLION).astype(np.int64)
    rows["sent_ns"] = rows["due_ns"] + 100_000
    rows["answered_ns"] = rows["due_ns"] + 20_000_000
    rows["operation"] = np.arange(_MILLION) % 6
    rows["flags"] = Flag.FINAL | Flag.PROBE
    rows["crc"] = [zlib.crc32(row[:-4]) for row in rows.view(f"V{REQUEST.itemsize}").tolist()]
    return rows


def _builder() -> Any:
    """The golden tests' builder of whole runs."""
    if str(_GOLDEN) not in sys.path:
        sys.path.insert(0, str(_GOLDEN))
    import builder  # noqa: PLC0415 - from a directory of tests, which is no package

    return builder


def _cpu_s(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
