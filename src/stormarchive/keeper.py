"""Keeping an archive: one turn of its loop after the other."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import Final

from stormarchive import files, member
from stormarchive.backup import Backup
from stormarchive.errors import ForeignError
from stormarchive.member import AskError, Primary, Progress
from stormarchive.receiver import Receiver
from stormarchive.settings import Settings
from stormarchive.state import State
from stormarchive.store import Base, Store
from stormarchive.stretch import Reach, Stretch
from stormarchive.wait import pause

TURN_S: Final = 0.5
ASK_ALL_LOOKS: Final = 6
_PAGE: Final = 8192
_AGAIN_S: Final = 1.0
_BACKUP_AGAIN_S: Final = 15.0
_MEASURE_EVERY_S: Final = 15.0

log = logging.getLogger(__name__)


class Keeper:
    """Follows the primary, keeps its log, takes base backups. `state` is what others may know of it."""

    def __init__(self, settings: Settings, state: State) -> None:
        self._settings = settings
        self._state = state
        self._store = Store(settings.directory)
        self._primary: Primary | None = None
        self._receiver: Receiver | None = None
        self._backup: Backup | None = None
        self._seen: deque[Progress] = deque(maxlen=64)
        self._look_at_s = self._ask_all_at_s = self._back_up_at_s = self._measure_at_s = 0.0
        self._gap = self._confirmed = False

    def run(self, ended: threading.Event) -> None:
        """Keep it until `ended`; what goes wrong is told and tried again."""
        self._store.drop_unfinished()
        try:
            while not ended.is_set():
                try:
                    self._turn()
                except (AskError, ForeignError, OSError, ValueError) as error:
                    self._state.trouble(str(error))
                    self._look_at_s = time.monotonic() + min(_AGAIN_S, self._settings.look_s)
                pause(ended, TURN_S)
        finally:
            self._leave()
            if self._backup is not None:
                self._backup.discard()

    def _turn(self) -> None:
        now_s = time.monotonic()
        self._state.receiving = self._receiver is not None and self._receiver.running
        if self._receiver is not None and not self._receiver.running:
            self._state.trouble(f"the receiver ended: {self._receiver.why}")
            self._gap = self._receiver.log_is_gone
            self._leave()
            self._look_at_s = now_s + min(_AGAIN_S, self._settings.look_s)
        if now_s >= self._look_at_s:
            self._look_at_s = now_s + self._settings.look_s
            self._look()
        self._see_to_backups(now_s)
        if self._primary is not None and self._store.segment_size:
            self._store.newest().pack()
        if now_s >= self._measure_at_s:
            self._measure_at_s = now_s + _MEASURE_EVERY_S
            self._state.sizes = {
                part: files.size_of(self._settings.directory / part) for part in ("wal", "base", "aside")
            }

    def _look(self) -> None:
        """See who is primary, follow it, and note how far its log has come here."""
        followed = self._receiver.primary if self._receiver is not None and self._receiver.running else None
        if followed is not None and time.monotonic() < self._ask_all_at_s:
            # All is well: each question to all members is as many logins.
            self._note_progress(member.progress(self._settings, followed))
            return
        self._ask_all_at_s = time.monotonic() + ASK_ALL_LOOKS * self._settings.look_s
        found, said = member.find(self._settings)
        if found is None:
            self._primary = None
            self._state.trouble("no member takes writes: " + "; ".join(f"{k}: {v}" for k, v in said.items()))
            self._look_at_s = time.monotonic() + min(_AGAIN_S, self._settings.look_s)
            return
        self._store.identify(found.system, found.segment_size)
        if found != self._primary or (self._settings.receive and self._receiver is None):
            self._follow(found)
        self._primary = found
        if self._receiver is not None and self._receiver.running:
            self._note_progress(member.progress(self._settings, found))

    def _follow(self, found: Primary) -> None:
        self._leave()
        stretch = self._store.newest()
        here = max((each.timeline for each in stretch.segments()), default=0)
        if found.timeline < here:
            raise ForeignError(
                f"{found.member} takes writes on timeline {found.timeline}, the archive is on {here} already: "
                "a primary of the past is not followed"
            )
        line = member.lineage_of(self._settings, found)
        if moved := stretch.put_aside_what_is_not_of(line, self._store.aside(time.time())):
            log.warning("cut off by a promotion, put aside: %s", ", ".join(moved))
        if torn := stretch.drop_torn():
            log.warning("cut short, received again: %s", ", ".join(torn))
        stretch.step_over_a_fork(line)
        if self._gap:
            stretch = self._store.begin_stretch()
            self._state.gaps += 1
            log.warning(
                "a gap: the primary has not kept the log that comes next; stretch %d begins", stretch.number
            )
        self._gap = False
        log.info("primary is %s, timeline %d; stretch %d", found.member, found.timeline, stretch.number)
        self._state.followed(found.timeline, stretch.number)
        self._seen.clear()
        # A base backup is of use once it is known that the log after it comes here.
        self._confirmed = not self._settings.receive
        if self._settings.receive:
            self._receiver = Receiver(self._settings, found, stretch.directory)
            self._state.receiving = True

    def _leave(self) -> None:
        if self._receiver is not None:
            self._receiver.end()
        self._receiver = None

    def _note_progress(self, progress: Progress) -> None:
        """What the database had acknowledged at some time is here once the receiver has confirmed that position."""
        # The log is also flushed up to the end of a page, which may be the middle of a record.
        if progress.flushed % _PAGE:
            self._seen.append(progress)
        if progress.received is None:
            return
        self._state.behind = max(0, progress.flushed - progress.received)
        reached: Reach | None = None
        while self._seen and self._seen[0].flushed <= progress.received:
            each = self._seen.popleft()
            reached = Reach(each.at_s, each.flushed)
        if reached is not None:
            self._confirmed = True
            self._store.newest().reached(reached)
            self._state.reached(reached.until_s)

    def _see_to_backups(self, now_s: float) -> None:
        if self._backup is not None and not self._backup.running:
            outcome = self._backup.finish()
            self._backup = None
            self._backed_up(outcome, now_s)
        if not self._confirmed or self._backup is not None or now_s < self._back_up_at_s:
            return
        self._back_up_at_s = now_s + min(self._settings.look_s, _BACKUP_AGAIN_S)
        if self._primary is not None and (why := self._due()):
            log.info("base backup of %s: %s", self._primary.member, why)
            self._store.drop_unfinished()
            self._backup = Backup(self._settings, self._store, self._primary, self._store.newest().number)

    def _backed_up(self, outcome: Base | str, now_s: float) -> None:
        if isinstance(outcome, str):
            self._state.backup_failed(outcome)
            self._back_up_at_s = now_s + _BACKUP_AGAIN_S
            return
        log.info("base backup %s: %d bytes in %.1f s", outcome.name, outcome.size, outcome.took_s)
        if gone := self._store.prune(self._settings.keep):
            log.info("no longer needed, removed: %s", ", ".join(gone))
        self._state.backed_up(self._store.bases())

    def _due(self) -> str:
        """Why a base backup is due; empty when none is."""
        bases = self._store.bases()
        self._state.backed_up(bases)
        if not bases:
            return "there is none"
        newest, stretch = bases[-1], self._store.newest()
        if newest.stretch != stretch.number:
            return "the log has a gap after the last one"
        if not _leads_on(newest, stretch):
            return f"a promotion has left timeline {newest.timeline} before its end"
        if time.time() - newest.ended_s >= self._settings.every_s:
            return f"the last one is {self._settings.every_s:g} s old"
        if stretch.bytes_since(newest.end) >= self._settings.after_bytes:
            return "there is much log since the last one"
        return ""


def _leads_on(base: Base, stretch: Stretch) -> bool:
    """Whether the stretch's newest timeline comes from the base backup's."""
    line = stretch.lineage()
    if line is None or line.timeline == base.timeline:
        return True
    left_at = line.left_at.get(base.timeline)
    return left_at is not None and base.end <= left_at
