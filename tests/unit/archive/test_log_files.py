"""Names of log files, and what of the log belongs to the database after promotions."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormarchive.lineage import Lineage
from stormarchive.segments import Segment, lsn_text, parse_lsn
from stormarchive.store import Base, Store
from stormarchive.stretch import Stretch

MB = 1024 * 1024
SIZES = st.sampled_from([MB, 4 * MB, 16 * MB, 1024 * MB])


@given(SIZES, st.integers(1, 0xFFFFFFFF), st.integers(0, 2**40), st.booleans(), st.booleans())
def test_a_name_is_read_as_it_was_written(size, timeline, number, partial, packed):
    number %= (1 << 64) // size
    segment = Segment(timeline, number, size, partial, packed)
    assert Segment.of(segment.file_name, size) == segment


@given(st.integers(0, 2**64 - 1))
def test_a_position_is_read_as_it_was_written(position):
    assert parse_lsn(lsn_text(position)) == position


def test_a_name_as_postgresql_gives_it():
    segment = Segment.of("000000020000000100000003.gz", 16 * MB)
    assert lsn_text(segment.begin) == "1/3000000"
    assert (segment.timeline, segment.packed, segment.partial) == (2, True, False)
    for other in ("00000002.history", "reach.json", "000000020000000100000003.packing", "archive_status"):
        assert Segment.of(other, 16 * MB) is None


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=6), st.data())
def test_of_every_position_one_timeline_of_a_line_is_right(steps, data):
    """Segments that lie wholly on a timeline of the line are kept, those beyond its end are not."""
    forks, at = {}, 0
    for timeline, step in enumerate(steps, 1):
        at += step
        forks[timeline] = at
    line = Lineage(len(steps) + 1, forks)
    timeline = data.draw(st.integers(1, len(steps) + 1))
    number = data.draw(st.integers(0, 400))
    segment = Segment(timeline, number, 4096)
    end = forks.get(timeline)
    assert line.holds(segment) == (end is None or segment.end <= end)
    partial = Segment(timeline, number, 4096, partial=True)
    assert line.holds(partial) == (end is None or segment.begin < end)
    assert not line.holds(Segment(len(steps) + 2, number, 4096))
    assert line.begins_at(timeline) == (0 if timeline == 1 else forks[timeline - 1])


def test_a_history_file_is_read_and_nonsense_is_not():
    text = "1\t0/3000148\tno recovery target specified\n\n2\t0/5000000\tx\n"
    line = Lineage.parse(3, text)
    assert line.left_at == {1: 0x3000148, 2: 0x5000000}
    assert line.goes_on_at(2, 0x5000000) == 3
    assert line.goes_on_at(2, 0x4000000) == 2
    with pytest.raises(ValueError, match="not a line"):
        Lineage.parse(3, "hello\n")


def stretch(tmp_path, **content):
    directory = tmp_path / "wal/1"
    directory.mkdir(parents=True)
    for name, data in content.items():
        (directory / name.removeprefix("_").replace("__", ".")).write_bytes(data)
    return Stretch(directory, 1, MB)


def test_what_a_promotion_cut_off_is_put_aside_and_nothing_else(tmp_path):
    whole = bytes(MB)
    kept = stretch(
        tmp_path,
        _000000010000000000000001=whole,
        _000000010000000000000002=whole,
        _000000010000000000000003__partial=whole,
        _000000020000000000000002=whole,
        _00000002__history=b"1\t0/280000\tx\n",
    )
    assert kept.put_aside_what_is_not_of(Lineage(2, {1: 0x280000}), tmp_path / "aside") == [
        "000000010000000000000002",
        "000000010000000000000003.partial",
    ]
    # Two that were promoted from the same timeline have the same number, and are not the same.
    assert kept.put_aside_what_is_not_of(Lineage(2, {1: 0x210000}), tmp_path / "aside") == [
        "00000002.history",
        "000000020000000000000002",
    ]
    assert [each.file_name for each in kept.segments()] == ["000000010000000000000001"]


def test_a_receiver_is_led_over_a_fork_at_the_end_of_a_file(tmp_path):
    there = stretch(tmp_path, _000000010000000000000001__gz=gzip.compress(bytes(MB)))
    there.step_over_a_fork(Lineage(2, {1: 0x280000}))
    assert len(there.segments()) == 1
    there.step_over_a_fork(Lineage(3, {1: 0x200000, 2: 0x200000}))
    assert [each.file_name for each in there.segments()] == [
        "000000010000000000000001.gz",
        "000000030000000000000002.partial",
    ]


def test_what_a_full_disk_cut_short_is_received_again(tmp_path):
    there = stretch(tmp_path, _000000010000000000000001__partial=b"short")
    assert there.drop_torn() == ["000000010000000000000001.partial"]
    assert there.segments() == []


def test_packing_changes_a_file_and_not_what_is_in_it(tmp_path):
    there = stretch(
        tmp_path, _000000010000000000000001=b"x" * MB, _000000010000000000000002__partial=bytes(MB)
    )
    assert there.pack()
    assert not there.pack()
    packed = there.directory / "000000010000000000000001.gz"
    assert gzip.decompress(packed.read_bytes()) == b"x" * MB
    assert len(there.segments()) == 2


def base(store, name, number, at, ended_s):
    (store.bases_directory / name).mkdir(parents=True)
    store.add(Base(name, number, 1, at, at + 1, ended_s, 1.0, 10))


def test_only_what_no_base_backup_needs_is_removed(tmp_path):
    store = Store(tmp_path)
    store.identify("7", MB)
    for _ in (1, 2):
        directory = store.begin_stretch().directory
        for segment in range(1, 5):
            (directory / Segment(1, segment, MB).file_name).touch()
    base(store, "a", 1, 2 * MB, 1.0)
    base(store, "b", 2, 3 * MB + 5, 2.0)
    (store.bases_directory / "torn").mkdir()
    assert store.prune(2) == [
        Segment(1, 1, MB).file_name,
        Segment(1, 1, MB).file_name,
        Segment(1, 2, MB).file_name,
    ]
    assert store.prune(1) == ["base a", "stretch 1"]
    assert [each.name for each in store.bases()] == ["b"]
    store.drop_unfinished()
    assert [path.name for path in store.bases_directory.iterdir()] == ["b"]
