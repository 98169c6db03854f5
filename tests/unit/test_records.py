"""The record format: what is written is read, what is torn or damaged is counted and left out."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stormdrill.errors import InputError
from stormdrill.records.keys import KeyTexts, sent_keys
from stormdrill.records.layout import HEADER_BYTES, REQUEST, WITNESS, Act, Legend, key_bytes, key_text
from stormdrill.records.reader import read_directory, read_file
from stormdrill.records.writer import RequestLog, WitnessJournal

I64 = st.integers(-(2**63), 2**63 - 1)
U16 = st.integers(0, 2**16 - 1)
U8 = st.integers(0, 255)
REQUESTS = st.lists(
    st.fixed_dictionaries(
        {"seq": st.integers(0, 2**64 - 1), "due_ns": I64, "sent_ns": I64, "answered_ns": I64}
        | {"session": st.integers(0, 2**32 - 1), "operation": U16, "status": U16}
        | dict.fromkeys(("cell", "attempt", "outcome", "reason", "site", "flags"), U8)
    ),
    max_size=20,
)


def legend(kind: str) -> Legend:
    return Legend(kind, ("login", "transfer"), ("A1", "A1"), ("cell0",), ("city1-a",), 1, 2)


@settings(max_examples=40, deadline=None)
@given(REQUESTS)
def test_requests_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, int]]
) -> None:
    path = tmp_path_factory.mktemp("requests") / "load-0.rec"
    log = RequestLog(path, legend("requests"))
    for row in rows:
        log.append(**row)
    log.close()
    records = read_file(path)
    assert records.legend == legend("requests")
    assert (records.bad, records.torn_bytes) == (0, 0)
    assert [
        {name: int(record[name]) for name in row} for record, row in zip(records.data, rows, strict=True)
    ] == rows


def write_intents(path: Path, count: int) -> None:
    journal = WitnessJournal(path, legend("witness"))
    for seq in range(count):
        journal.append(
            seq=seq, mono_ns=seq, wall_ns=-seq, key=key_bytes(f"key-{seq}"), amount=seq * 100, source=1,
            target=-2, act=Act.INTENT, attempt=1, operation=1, status=0, cell=0, flags=0, movement=seq,
        )  # fmt: skip
    journal.close()


@pytest.mark.parametrize("offset", range(0, WITNESS.itemsize, 7))
def test_one_damaged_byte_costs_one_record_and_is_counted(tmp_path: Path, offset: int) -> None:
    path = tmp_path / "load-0.rec"
    write_intents(path, 5)
    with path.open("r+b") as stream:
        stream.seek(HEADER_BYTES + 2 * WITNESS.itemsize + offset)
        old = stream.read(1)
        stream.seek(-1, os.SEEK_CUR)
        stream.write(bytes([old[0] ^ 0x40]))
    records = read_file(path)
    assert records.bad == 1
    assert records.data["seq"].tolist() == [0, 1, 3, 4]


def test_a_torn_tail_is_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "load-0.rec"
    write_intents(path, 3)
    os.truncate(path, path.stat().st_size - 10)
    records = read_file(path)
    assert len(records.data) == 2
    assert records.torn_bytes == WITNESS.itemsize - 10


def test_files_of_a_directory_are_joined_and_must_agree(tmp_path: Path) -> None:
    write_intents(tmp_path / "a.rec", 2)
    write_intents(tmp_path / "b.rec", 3)
    assert len(read_directory(tmp_path).data) == 5
    RequestLog(tmp_path / "c.rec", legend("requests")).close()
    with pytest.raises(InputError, match="different legends"):
        read_directory(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"x" * 5000])
def test_what_is_not_a_record_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.rec"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a record file"):
        read_file(path)


def test_an_empty_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no record files"):
        read_directory(tmp_path)


def test_keys_keep_uuids_and_digest_the_rest() -> None:
    key = "12345678-1234-4234-9234-123456789abc"
    assert key_text(key_bytes(key)) == key
    assert len(key_bytes("order 7")) == 16
    assert key_bytes("order 7") != key_bytes("order 8")


def test_records_survive_the_death_of_their_writer(tmp_path: Path) -> None:
    """`append` returns after write(): a SIGKILL right then loses nothing."""
    program = (
        "import os, signal, sys; from pathlib import Path; from stormdrill.records.writer import RequestLog\n"
        "from stormdrill.records.layout import Legend\n"
        "legend = Legend('requests', ('a',), ('A1',), ('c',), ('s',), 1, 2)\n"
        "log = RequestLog(Path(sys.argv[1]), legend)\n"
        "for seq in range(1000): log.append(seq=seq, due_ns=1, sent_ns=1, answered_ns=1, session=0,"
        " operation=0, cell=0, attempt=1, outcome=0, reason=0, site=0, flags=0, status=200)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "load-0.rec"
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode == -9
    assert np.array_equal(read_file(path).data["seq"], np.arange(1000))
    assert REQUEST.itemsize == 64


UUID = "0b9f6d0e-6d5c-4c3a-9f3e-6d0f0a1b2c3d"
ODD = ["order-123", 'a"b\n', "é", UUID.upper()]


def write_keys(directory: Path, keys: list[str]) -> Path:
    """A journal with an intent for each key, and the texts beside it."""
    journal = WitnessJournal(directory / "load-0.rec", legend("witness"))
    texts = KeyTexts(directory / "load-0.keys.jsonl")
    for seq, key in enumerate(keys):
        texts.keep(key)
        journal.append(
            seq=seq, mono_ns=seq, wall_ns=0, key=key_bytes(key), amount=1, source=1, target=2,
            act=Act.INTENT, attempt=1, operation=1, status=0, cell=0, flags=0,
        )  # fmt: skip
    texts.close()
    journal.close()
    return directory / "load-0.keys.jsonl"


def test_keys_come_back_as_they_were_sent(tmp_path: Path) -> None:
    other = "3f0e8b0e-6d5c-4c3a-9f3e-6d0f0a1b2c3d"
    file = write_keys(tmp_path, [*ODD, other, ODD[0]])
    assert sorted(sent_keys(tmp_path)) == sorted([*ODD, other])
    assert len(file.read_bytes().splitlines()) == 5  # what a record gives back needs no line


def test_a_torn_text_was_never_sent_and_a_damaged_one_is_said(tmp_path: Path) -> None:
    file = write_keys(tmp_path, ODD)
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"key": "11111111-')
    assert sorted(sent_keys(tmp_path)) == sorted(ODD)
    for damaged in (whole.replace(b"order-123", b"order-124"), whole.replace(b"}", b"", 1), b"7\n" + whole):
        file.write_bytes(damaged)
        with pytest.raises(InputError, match=r"load-0\.keys\.jsonl:1: a damaged line"):
            list(sent_keys(tmp_path))


def test_an_entry_that_does_not_fit_whole_is_an_error_and_not_counted(tmp_path: Path) -> None:
    log = RequestLog(tmp_path / "0.rec", legend("requests"))
    row = dict.fromkeys(
        ("seq", "due_ns", "sent_ns", "answered_ns", "session", "operation", "cell", "site"), 1
    )
    row |= dict.fromkeys(("attempt", "outcome", "reason", "flags", "status"), 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (HEADER_BYTES + REQUEST.itemsize + 10, hard))
    try:
        log.append(**row)
        with pytest.raises(OSError, match="File too large"):
            log.append(**row)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    log.close()
    found = read_file(tmp_path / "0.rec")
    assert (len(found.data), found.torn_bytes, log.written) == (1, 10, 1)
