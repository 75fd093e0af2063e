"""The tools of all servers of one gateway: which may be used, and under which names they are shown.

A name that one server alone offers stays as it is; where two servers offer it, each is ``<server>___<tool>``. Under the
shown name a tool is also known to policies. A list is read again when its server says that it changed, when it is
older than a minute, and when the file of pins changed.
"""

import fnmatch
import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sealgate.gateway import pins
from sealgate.gateway.envelope import OWN_PREFIX, Answer, Envelope, Members, request
from sealgate.gateway.links import Downstream, Upstream, UpstreamGone
from sealgate.gateway.methods import LISTS
from sealgate.gateway.pins import Definition, Pins, Seen

SEPARATOR: Final = "___"
MAX_AGE_S: Final = 60.0
MAX_PAGES: Final = 200
_NOT_OFFERED: Final = -32601

_ids = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Entry:
    """One tool as it is shown: ``definition`` has the shown name; ``digest`` is that of the whole of it."""

    upstream: Upstream
    name: str
    definition: Definition
    digest: str


@dataclass(slots=True)
class _Known:
    seen: Seen
    base: Members
    read_s: float
    dirty: bool = False


@dataclass(slots=True)
class Catalogue:
    """What all servers offer, after the pins had their say."""

    upstreams: Sequence[Upstream]
    pins: Pins
    monotonic_s: Callable[[], float] = time.monotonic
    _known: dict[str, _Known] = field(default_factory=dict)
    _entries: dict[str, Entry] = field(default_factory=dict)
    _refused: dict[str, str] = field(default_factory=dict)
    _file: tuple[int, int, int] = (0, 0, 0)

    def changed(self, server: str) -> None:
        """Note that a server says that its list changed."""
        if server in self._known:
            self._known[server].dirty = True

    async def refresh(self, meta: Members, downstream: Downstream, *, force: bool = False) -> None:
        """Read again what may be out of date. A server that cannot be read offers nothing.

        Raises:
            ConfigurationError: the pins cannot be read; nothing may be used then.
        """
        newest = self.pins.newest()
        force = force or newest != self._file
        now = self.monotonic_s()
        changed = False
        for upstream in self.upstreams:
            known = self._known.get(upstream.name)
            if known is None or force or known.dirty or now - known.read_s > MAX_AGE_S:
                self._known[upstream.name] = await self._read(upstream, meta, downstream, now)
                changed = True
        if changed:
            self._file = self.pins.newest()
            self._name_all()

    async def _read(self, upstream: Upstream, meta: Members, downstream: Downstream, now: float) -> _Known:
        answer, items = await fetch_all(upstream, "tools/list", meta, downstream)
        if "error" in answer:
            return _Known(Seen({}), {}, now)
        return _Known(self.pins.observe(upstream.name, items), answer["result"], now)

    def _name_all(self) -> None:
        offered = [(server, name) for server, known in self._known.items() for name in known.seen.usable]
        shown = names(offered, [upstream.name for upstream in self.upstreams])
        self._entries, self._refused = {}, {}
        for upstream in self.upstreams:
            seen = self._known[upstream.name].seen
            for name, definition in seen.usable.items():
                outside = shown.get((upstream.name, name))
                if outside is None:
                    self._refused[name] = "its name could be taken for that of another server's tool"
                    continue
                as_shown = definition if outside == name else {**definition, "name": outside}
                self._entries[outside] = Entry(upstream, name, as_shown, pins.published_digest(as_shown))
            for name, reason in seen.quarantined.items():
                self._refused[name] = reason
                self._refused[f"{upstream.name}{SEPARATOR}{name}"] = reason

    def find(self, name: str) -> Entry | None:
        """Return the tool that is shown under a name."""
        return self._entries.get(name)

    def schema(self, server: str, name: str) -> object:
        """Return the input schema of a server's own tool, as far as it is known and usable."""
        known = self._known.get(server)
        return None if known is None else known.seen.usable.get(name, {}).get("inputSchema")

    def refusal(self, name: str) -> str:
        """Return why a tool that is not shown cannot be used."""
        return self._refused.get(name, "no server here offers it")

    def shown(self, patterns: Iterable[str]) -> list[Definition]:
        """Return the definitions of the tools whose shown names fit one of the patterns."""
        wanted = list(patterns)
        return [
            entry.definition
            for name, entry in self._entries.items()
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in wanted)
        ]

    def base(self) -> Members:
        """Return the members of a list's result besides the list (lifetime and the like), of the first server."""
        return next((known.base for known in self._known.values() if known.base), {})


def names(offered: Iterable[tuple[str, str]], servers: Sequence[str]) -> dict[tuple[str, str], str]:
    """Return the shown name of each (server, tool).

    A tool whose own name looks like another server's prefixed one is left out.
    """
    pairs = list(offered)
    count: dict[str, int] = {}
    for _, name in pairs:
        count[name] = count.get(name, 0) + 1
    shown = {}
    for server, name in pairs:
        prefix, separator, _ = name.partition(SEPARATOR)
        if separator and prefix in servers and len(servers) > 1:
            continue
        shown[server, name] = name if count[name] == 1 else f"{server}{SEPARATOR}{name}"
    return shown


async def fetch_all(
    upstream: Upstream, method: str, meta: Mapping[str, Any], downstream: Downstream
) -> tuple[Answer, list[Any]]:
    """Return a list's first answer and the items of all its pages."""
    member = LISTS[method]
    said = {key: value for key, value in meta.items() if key != "progressToken"}
    items: list[Any] = []
    first: Answer = {}
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        params: Members = {"_meta": said} if said else {}
        if cursor is not None:
            params["cursor"] = cursor
        asked: Envelope = request(f"{OWN_PREFIX}{next(_ids)}", method, params)
        try:
            answer = await upstream.ask(asked, downstream)
        except UpstreamGone as error:
            answer = {"error": {"code": _NOT_OFFERED, "message": error.message}}
        first = first or answer
        result = answer.get("result")
        if result is None:
            return answer, []
        page = result.get(member)
        items += page if isinstance(page, list) else []
        cursor = result.get("nextCursor")
        if not isinstance(cursor, str):
            break
    return first, items
