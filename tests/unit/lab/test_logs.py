"""Reading logs: last lines, since a moment, following."""

import asyncio
import shutil
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormlab.node import logs


@given(st.lists(st.sampled_from([b"a", b"\n", b"bb\n"]), max_size=30), st.integers(0, 12))
def test_the_tail_is_what_the_last_lines_say(tmp_path_factory, parts, count):
    content = b"".join(parts)
    path = tmp_path_factory.mktemp("log") / "c.log"
    path.write_bytes(content)
    lines = content.splitlines(keepends=True)
    expected = b"".join(lines[len(lines) - count :] if count < len(lines) else lines) if count else b""
    assert content[logs.tail_offset(path, count) :] == expected


def test_since_a_moment_is_never_late(tmp_path):
    path = tmp_path / "uid" / "c.log"
    path.parent.mkdir()
    clock = logs.LogClock(lambda: [path.parent])
    for now, text in ((100.0, "one\n"), (101.0, "two\n"), (102.0, ""), (103.0, "three\n")):
        with path.open("a") as file:
            file.write(text)
        clock.note(now)
    assert clock.offset_at(path, 99.0) == 0
    assert clock.offset_at(path, 101.5) == len("one\ntwo\n")
    assert clock.offset_at(path, 200.0) == len("one\ntwo\nthree\n")
    assert [clock.written_at(path, offset) for offset in (0, 3, 4, 8, 13)] == [
        100.0,
        100.0,
        101.0,
        103.0,
        103.0,
    ]


def test_every_line_has_its_time_however_it_is_read():
    async def read(*blocks):
        async def given():
            for block in blocks:
                yield block

        told = logs.stamped(given(), 4, float)
        return b"".join([block async for block in told])

    right = (
        b"1970-01-01T00:00:04.000000000Z one\n"
        b"1970-01-01T00:00:08.000000000Z two\rtoo\n"
        b"1970-01-01T00:00:16.000000000Z end"
    )
    assert asyncio.run(read(b"one\ntwo\rtoo\nend")) == right
    assert asyncio.run(read(b"o", b"ne\ntwo\r", b"too\n", b"en", b"d")) == right


def test_no_more_than_asked_for():
    async def read(limit):
        async def given():
            for block in (b"abc", b"def"):
                yield block

        return b"".join([block async for block in logs.bounded(given(), limit)])

    assert [asyncio.run(read(limit)) for limit in (0, 2, 3, 4, 9, None)] == [
        b"", b"ab", b"abc", b"abcd", b"abcdef", b"abcdef"
    ]  # fmt: skip


def test_a_log_without_end_is_shortened_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(logs, "_LARGEST", 1000)
    monkeypatch.setattr(logs, "_KEPT", 100)
    path = tmp_path / "uid" / "c.log"
    path.parent.mkdir()
    writer = path.open("ab", buffering=0)
    writer.write(b"x" * 2000 + b"end\n")
    logs.LogClock(lambda: [path.parent]).note(1.0)
    writer.write(b"more\n")
    assert path.read_bytes() == b"x" * 96 + b"end\nmore\n"


def test_pods_that_are_removed_while_notes_are_taken_disturb_nothing(tmp_path):
    """Another thread removes them; this once ended node processes, and with them their zone."""
    places = [tmp_path / f"uid{number}" for number in range(5)]
    done = threading.Event()

    def come_and_go():
        while not done.is_set():
            for place in places:
                (place / "root").mkdir(parents=True)
                (place / "c.log").write_text("said\n")
                shutil.rmtree(place)

    pods = threading.Thread(target=come_and_go)
    pods.start()
    try:
        clock = logs.LogClock(lambda: places)
        for moment in range(3000):
            clock.note(float(moment))
    finally:
        done.set()
        pods.join()


@pytest.mark.parametrize("renamed", [False, True])
def test_following_ends_with_the_pod_or_the_run(tmp_path, renamed):
    path = tmp_path / "pod" / "c.log"
    path.parent.mkdir()
    path.write_bytes(b"first\n")

    async def follow():
        found = []
        async for block in logs.read(path, 0, follow=True):
            found.append(block)
            if len(found) == 1:
                with path.open("ab") as file:
                    file.write(b"second\n")
            elif renamed:
                path.rename(path.with_name("c.previous.log"))
                path.write_bytes(b"next run\n")
            else:
                path.unlink()
        return found

    assert asyncio.run(asyncio.wait_for(follow(), 5)) == [b"first\n", b"second\n"]
