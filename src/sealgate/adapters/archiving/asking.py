"""The archiving process's side of the conversation: data keys that are asked for, and kept for one segment only."""

import socket
from collections.abc import Iterable, Iterator
from io import IOBase
from typing import TypeVar

from sealgate.adapters.archiving import messages
from sealgate.adapters.archiving.messages import Current, Facts, Find, Gone, GoOn, Key, Known, Written
from sealgate.adapters.children import frames
from sealgate.authority.archiving import LEDGER_SCOPE
from sealgate.ports.datakeys import DataKey, KeyFact

_Reply = TypeVar("_Reply")


class Conversation:
    """Speaks with the authority, in turns. Where that has gone or says something else, the process ends."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._stream: IOBase = connection.makefile("rb")

    def hear(self) -> messages.Archive | messages.Reply:
        """Wait for what the authority says."""
        payload = frames.read(self._stream)
        if payload is None:
            raise SystemExit
        told: messages.Archive | messages.Reply = messages.decode_told(payload)
        return told

    def say(self, message: messages.Question | messages.Result) -> None:
        """Say something."""
        self._connection.sendall(frames.frame(messages.encode(message)))

    def ask(self, question: messages.Question) -> messages.Archive | messages.Reply:
        """Ask, and wait for the answer."""
        self.say(question)
        return self.hear()

    def telling(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the blocks, and tell of each when the next one is asked for: then it is written."""
        for block in blocks:
            yield block
            _expect(GoOn, self.ask(Written()))


class AskedKeys:
    """A ``ports.datakeys.SealingDataKeys`` of what the authority tells, for one segment.

    Only the ledger's own scope has facts and a current key here.
    """

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._found: dict[bytes, DataKey | None] = {}

    def find(self, key_id: bytes) -> DataKey | None:
        """Return the key, or None when it was destroyed or never existed. Each is asked for once."""
        if key_id not in self._found:
            reply = self._conversation.ask(Find(key_id))
            self._found[key_id] = None if isinstance(reply, Gone) else _key(reply)
        return self._found[key_id]

    def current(self, scope: str, unix_ms: int) -> DataKey:
        """Return the key for bodies of the ledger's own scope in this period."""
        _require_ledger(scope)
        return _key(self._conversation.ask(Current(unix_ms)))

    def facts(self, prefix: str) -> list[KeyFact]:
        """Return the keys of the ledger's own scope."""
        _require_ledger(prefix)
        return _expect(Known, self._conversation.ask(Facts())).facts


def _key(reply: object) -> DataKey:
    key = _expect(Key, reply)
    return DataKey.of(key.key_id, key.secret)


def _require_ledger(scope: str) -> None:
    if scope != LEDGER_SCOPE:
        raise ValueError(scope)


def _expect(kind: type[_Reply], reply: object) -> _Reply:
    if not isinstance(reply, kind):
        raise TypeError(type(reply))
    return reply
