"""Texts of idempotency keys beside the witness: what its 16 bytes cannot give back, one JSON line a key.

A UUID in its usual notation can be read from a witness record. Of any other key the record holds a digest (or the
value without its notation), and whoever asks the estate for that key needs the text as it was sent. The line is
written before the intent: a key of the witness that has no line was sent in the usual notation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stormdrill.errors import InputError
from stormdrill.records.appended import AppendedFile
from stormdrill.records.layout import Act, key_bytes, key_text
from stormdrill.records.reader import read_directory

SUFFIX = ".keys.jsonl"


class KeyTexts(AppendedFile):
    """Writer of `witness/*.keys.jsonl`. Used by the loop's thread, except `sync`."""

    def keep(self, text: str) -> None:
        """Write the key down, unless it can be read from its record. OSError when it was not written whole."""
        stored = key_text(key_bytes(text))
        if stored != text:
            self._write(json.dumps({"key": stored, "text": text}).encode() + b"\n")


def sent_keys(witness: Path) -> Iterator[str]:
    """Every key that the journal of this directory means to book, once, as it was sent.

    InputError when journal or texts cannot be read: what is not known to have been sent cannot be asked for.
    """
    texts = _texts(witness)
    data: Any = read_directory(witness).data
    intents = data[data["act"] == int(Act.INTENT)]
    for stored in sorted({key_text(bytes(key)) for key in intents["key"]}):
        yield texts.get(stored, stored)


def _texts(witness: Path) -> dict[str, str]:
    """Texts by stored key. A torn last line is left out: its request was never sent."""
    found: dict[str, str] = {}
    for file in sorted(witness.glob(f"*{SUFFIX}")):
        for number, line in enumerate(file.read_bytes().split(b"\n")[:-1], 1):
            stored, text = _entry(line)
            if not text or stored != key_text(key_bytes(text)):
                raise InputError.at(file, number, "a damaged line: the text of a key is not known")
            found[stored] = text
    return found


def _entry(line: bytes) -> tuple[str, str]:
    """Stored key and text of a line; empty texts when it is not one."""
    try:
        entry = json.loads(line)
        return str(entry["key"]), str(entry["text"])
    except (ValueError, KeyError, TypeError):
        return "", ""
