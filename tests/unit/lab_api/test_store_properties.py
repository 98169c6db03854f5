"""Whatever is written, forgotten, watched and killed in whatever order: every watcher's view equals a list.

A machine of Hypothesis: it chooses the steps, and shrinks those that fail to a few. The seed is printed; STORE_SEED
repeats it.
"""

import os
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from stormlab.api.kinds import CONFIG_MAP, SECRET
from stormlab.api.selectors import Selection, parse_fields, parse_labels
from stormlab.api.store import Store, TooOldError
from stormlab.api.web import watching

from .follower import Follower, shown

KINDS = st.sampled_from([CONFIG_MAP, SECRET])
# In the order of keys: "-" comes before the "/" that ends a namespace, "0" right after it.
SPACES = ("a-b", "a", "a0")
NAMESPACES = st.sampled_from(SPACES)
NAMES = st.sampled_from(["x", "y"])
COLOURS = st.sampled_from(["red", "blue", ""])
WINDOW = 4
BEHIND_BYTES = 700
"""About three events: a watcher that does not read is soon cut off."""
WRITES = st.lists(st.tuples(NAMESPACES, NAMES, COLOURS | st.none()), min_size=1, max_size=6)
"""Namespace, name and colour of what is put; without a colour it is removed."""
WHICH = st.integers(0, 7)
EVERYTHING = Selection()


def follower(kind, namespace, labels, field):
    return Follower(kind, Selection(namespace, parse_labels(labels), parse_fields(kind, field)))


FOLLOWERS = st.builds(
    follower,
    kind=KINDS,
    namespace=st.none() | NAMESPACES,
    labels=st.sampled_from(["", "colour=red", "colour!=red", "!colour"]),
    field=st.sampled_from(["", "", "metadata.name=x"]),
)


class Machine(RuleBasedStateMachine):
    @initialize(writes=WRITES, followers=st.lists(FOLLOWERS, min_size=2, max_size=5))
    def start(self, writes, followers):
        self.directory = tempfile.TemporaryDirectory()
        self.store = Store(Path(self.directory.name, "api.db"), window=WINDOW)
        self.acknowledged = {CONFIG_MAP: {}, SECRET: {}}
        self.followers = []
        # Views as they were, by version; and how many changes of its kind a version may lie back for sure.
        self.past = {}
        self.changes = {CONFIG_MAP: [], SECRET: []}
        self.written = self.store.version
        self.write(CONFIG_MAP, writes)
        for number, follower in enumerate(followers):
            self.follow(follower, listed=bool(number % 2))

    def teardown(self):
        if not hasattr(self, "store"):
            return
        try:
            for follower in self.followers:
                follower.settle(self.store)
                assert follower.view == shown(self.store.records(follower.kind), follower.selection)
        finally:
            self.store.close()
            self.directory.cleanup()

    def noted(self, kind, version):
        assert version == self.written + 1, "versions rise by one"
        self.written = version
        self.changes[kind].append(version)

    @rule(kind=KINDS, writes=WRITES)
    def write(self, kind, writes):
        for namespace, name, colour in writes:
            if colour is not None:
                self.put(kind, namespace, name, colour)
            elif record := self.store.get(kind, namespace, name):
                last = self.store.remove(record)
                self.noted(kind, last.version)
                del self.acknowledged[kind][record.key]

    def put(self, kind, namespace, name, colour):
        metadata = {"name": name, "namespace": namespace, "uid": "u"}
        if colour:
            metadata["labels"] = {"colour": colour}
        record = self.store.put(kind, {"metadata": metadata, "data": {"n": str(self.written)}})
        self.noted(kind, record.version)
        self.acknowledged[kind][record.key] = record.tree

    @rule(kind=KINDS, before=WRITES, after=WRITES, which=WHICH)
    def write_read_write(self, kind, before, after, which):
        self.write(kind, before)
        self.chosen(which).read(self.store)
        self.write(kind, after)

    def chosen(self, which):
        return self.followers[which % len(self.followers)]

    @precondition(lambda self: len(self.followers) < 8)
    @rule(follower=FOLLOWERS, listed=st.booleans())
    def follow(self, follower, listed):
        if listed:
            follower.list(self.store)
        follower.watch(self.store, follower.version if listed else None)
        self.followers.append(follower)

    @rule(which=st.sets(WHICH, min_size=1))
    def read(self, which):
        for number in which:
            self.chosen(number).read(self.store)

    @rule(which=WHICH, unseen=WRITES, later=WRITES)
    def hang_up(self, which, unseen, later):
        """A watcher is away while something is written."""
        follower = self.chosen(which)
        follower.leave()
        self.write(follower.kind, unseen)
        follower.read(self.store)
        self.write(follower.kind, later)

    @rule(which=WHICH, others=WRITES, unseen=WRITES)
    def go_on_from_a_bookmark(self, which, others, unseen):
        """A watcher is told how far it came, and goes on from there."""
        follower = self.chosen(which)
        self.write(CONFIG_MAP if follower.kind is SECRET else SECRET, others)
        follower.read(self.store)
        follower.bookmark()
        follower.read(self.store)
        follower.leave()
        self.write(follower.kind, unseen)

    @rule(kind=KINDS, later=WRITES)
    def remember(self, kind, later):
        self.past[kind, self.store.version] = shown(self.store.records(kind), EVERYTHING)
        self.write(kind, later)

    @rule(kind=KINDS, later=WRITES, killed=st.booleans())
    def forget(self, kind, later, killed):
        """History is compacted; or the process is gone with all it had in memory, and nobody closed anything."""
        if killed:
            for follower in self.followers:
                follower.lose()
            self.store = Store(Path(self.directory.name, "api.db"), window=WINDOW)
        else:
            self.store.compact()
        self.changes = {CONFIG_MAP: [], SECRET: []}
        self.write(kind, later)

    @invariant()
    def nothing_acknowledged_is_lost(self):
        if hasattr(self, "store"):
            assert self.store.version == self.written
            for kind, trees in self.acknowledged.items():
                everything = self.store.records(kind)
                assert shown(everything, EVERYTHING) == trees
                assert everything == [one for space in SPACES for one in self.store.records(kind, space)]

    @invariant()
    def the_past_is_as_it_was_or_forgotten(self):
        for (kind, version), view in getattr(self, "past", {}).items():
            try:
                records = self.store.records(kind, version=version)
            except TooOldError:
                later = sum(change > version for change in self.changes[kind])
                known = len(self.changes[kind]) > later or version >= self.written
                assert not (known and later <= WINDOW), "forgotten too soon"
                continue
            assert shown(records, EVERYTHING) == view


def run(monkeypatch, examples, steps, number):
    number = int(os.environ.get("STORE_SEED", number))
    print(f"STORE_SEED={number}")
    monkeypatch.setattr(watching, "MAX_BEHIND_BYTES", BEHIND_BYTES)
    rules = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, database=None, print_blob=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    run_state_machine_as_test(seed(number)(Machine), settings=rules)


def test_every_view_equals_a_list(monkeypatch):
    run(monkeypatch, examples=80, steps=25, number=1)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_every_view_equals_a_list_for_long(monkeypatch):
    run(monkeypatch, examples=500, steps=50, number=random.SystemRandom().randrange(2**32))
