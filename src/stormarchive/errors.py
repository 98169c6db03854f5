"""What can go wrong, as far as somebody is told.

ArchiveError
+-- SettingsError     the environment does not describe an archive; every reason is listed
+-- ForeignError      the database that answers is another one than the archive's
+-- RestoreError      the wished state cannot be had from this archive
"""

from __future__ import annotations


class ArchiveError(Exception):
    """The message says what is wrong."""


class SettingsError(ArchiveError):
    """The environment does not describe an archive; the message lists every reason."""


class ForeignError(ArchiveError):
    """The database is not the one whose log is kept here."""


class RestoreError(ArchiveError):
    """The wished state cannot be had: the message says what is missing, damaged or too late."""
