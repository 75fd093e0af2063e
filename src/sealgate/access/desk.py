"""The reading desk: every question passes here, in this order.

1. roles: those of the caller's identity and those that are granted now (asked of the authority each time, so that a
   revocation holds at once; no authority, no reading);
2. judge: each role by itself, by the reading policies; the one that shows most is taken;
3. ask: the store answers in a thread, within bounds;
4. hide: what the role may not see goes;
5. record: the access record becomes durable at the authority; if it cannot, nothing is answered;
6. answer.

A refusal is recorded in the same way. A crash between 5 and 6 leaves a record of an answer that nobody got, which errs
on the right side.
"""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from sealgate.evidence.answers import Explanation, Filter, Page, Status, Table, Trace
from sealgate.model.errors import InputError, NotPermittedError, SealgateError, UnavailableError
from sealgate.model.evaluation import Identity
from sealgate.model.grants import READING_ROLES, Grant, unix_ms
from sealgate.model.identifiers import require_name
from sealgate.policy.reading import FOREVER_MS, Box, Part, Reading, ReadingPoint, Sight
from sealgate.ports.reading import AccessLog, QueryLayer

from . import hiding, scope
from .lane import Lane

_MAX_IDS: Final = 100
"""Record ids that an access record names; the count is always whole."""

_MAX_REASON_CHARS: Final = 500


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one question may cost."""

    max_rows: int = 1000
    max_groups: int = 10_000
    timeout_s: float = 10.0
    export_timeout_s: float = 600.0
    threads: int = 2
    waiting: int = 16


class Note(msgspec.Struct, frozen=True):
    """What an answer says about itself: its access record, the role it was given in, what was hidden or withheld."""

    record_id: str
    role: str
    hidden: list[str]
    withheld: int = 0


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, why, and in which role (None: the one that shows most)."""

    caller: Identity
    reason: str | None = None
    role: str | None = None


@dataclass(slots=True)
class Turn:
    """One question on its way, with what its access record will say."""

    operation: str
    asked: Asked
    target: str | None
    now_ms: int
    what: Filter
    narrow: Filter | None = None
    reading: Reading | None = None
    sight: Sight = field(default_factory=lambda: Sight(allowed=False))
    roles: tuple[str, ...] = ()

    @property
    def reasoned(self) -> bool:
        """Whether a reason was given."""
        return bool(self.asked.reason)


class Desk:
    """Answers readers. Owned by one event loop."""

    def __init__(
        self,
        *,
        queries: QueryLayer,
        log: AccessLog,
        point: ReadingPoint,
        unix_ms: Callable[[], int],
        configured: Sequence[Grant] = (),
        bounds: Bounds | None = None,
    ) -> None:
        self.bounds = bounds or Bounds()
        self.queries = queries
        self.log = log
        self.point = point
        self._unix_ms = unix_ms
        self._configured = tuple(configured)
        self.lane = Lane(threads=self.bounds.threads, waiting=self.bounds.waiting, timeout_s=self.bounds.timeout_s)
        self.counts = {"allowed": 0, "refused": 0, "unrecorded": 0}

    async def trace(self, ident: str, asked: Asked) -> tuple[Trace, Note]:
        """Return the decision chain of a task, trace, session or record, without the steps that are not the reader's.

        Raises:
            InputError, NotPermittedError, UnavailableError: as ``search``; also when nothing of it may be seen.
        """
        require_name(ident, "id")
        turn = await self._admit("trace", asked, target=ident)
        found: Trace = await self._ask(turn, lambda: self.queries.trace(ident))
        seen, shown, withheld = hiding.trace(found, self._sees(turn))
        if withheld and not shown:
            await self._refuse(turn, "nothing of it is yours to see", code="record-unknown")
        return seen, await self._note(turn, count=len(shown), ids=shown, withheld=withheld)

    async def search(
        self, what: Filter, asked: Asked, *, after: str | None = None, limit: int = 100
    ) -> tuple[Page, Note]:
        """Return one page, newest first.

        Raises:
            InputError: the filter, the cursor or the limit cannot be used.
            NotPermittedError: no role of the caller allows it (that is recorded), or it takes too long.
            UnavailableError: the store or the authority does not answer, or too many ask; nothing is answered.
        """
        if not 1 <= limit <= self.bounds.max_rows:
            raise InputError(f"a page has 1 to {self.bounds.max_rows} rows", hint="use `after` for more")
        turn = await self._admit("search", asked, what=what)
        found: Page = await self._ask(turn, lambda: self.queries.search(turn.what, after=after, limit=limit))
        seen = hiding.page(found, turn.sight.parts)
        return seen, await self._note(turn, count=len(seen.rows), ids=[row.record_id for row in seen.rows])

    async def aggregate(
        self, what: Filter, asked: Asked, *, group_by: tuple[str, ...], measure: str, limit: int = 100
    ) -> tuple[Table, Note]:
        """Return a table; raises as ``search``."""
        if not 1 <= limit <= self.bounds.max_groups:
            raise InputError(f"a table has 1 to {self.bounds.max_groups} rows", hint="group by less")
        turn = await self._admit("aggregate", asked, what=what, names=group_by)
        found: Table = await self._ask(
            turn, lambda: self.queries.aggregate(turn.what, group_by=group_by, measure=measure, limit=limit)
        )
        return found, await self._note(turn, count=len(found.rows))

    async def explain(self, record_id: str, asked: Asked) -> tuple[Explanation, Note]:
        """Return one record in plain words; raises as ``trace``."""
        turn = await self._admit("explain", asked, target=record_id)
        sees = self._sees(turn)

        def ask() -> tuple[Explanation, Any]:
            found = self.queries.explain(record_id)
            return found, hiding.find(self.queries.trace(record_id).roots, record_id)

        found, node = await self._ask(turn, ask)
        parts = frozenset[Part]()
        if node is not None:
            parts = sees(hiding.place_of(node.agent, node.kind, node.time))
        if Part.ENVELOPE not in parts:
            await self._refuse(turn, "there is no such record, or it is not yours to see", code="record-unknown")
        return hiding.explanation(found, node, parts), await self._note(turn, count=1, ids=[record_id])

    async def status(self, asked: Asked) -> tuple[Status, Note]:
        """Return how far the store follows the log; raises as ``search``."""
        turn = await self._admit("status", asked)
        found: Status = await self._ask(turn, self.queries.status)
        return found, await self._note(turn, count=0)

    async def admit_export(self, what: Filter, asked: Asked) -> "Turn":
        """Judge an export before it runs; see ``exports``."""
        return await self._admit("export", asked, what=what)

    async def finish_export(self, turn: "Turn", *, count: int, digest: str) -> Note:
        """Record an export that is ready; only then may it be fetched."""
        return await self._note(turn, count=count, digest=digest)

    async def refuse(self, turn: "Turn", message: str, *, code: str, hint: str = "") -> None:
        """Record a refusal and raise it."""
        await self._refuse(turn, message, code=code, hint=hint)

    def close(self) -> None:
        """Start no more questions, stop those that run."""
        self.lane.close()

    # steps 1 and 2

    async def _admit(
        self,
        operation: str,
        asked: Asked,
        *,
        what: Filter | None = None,
        target: str | None = None,
        names: tuple[str, ...] = (),
    ) -> Turn:
        if asked.reason is not None and not 0 < len(asked.reason.strip()) <= _MAX_REASON_CHARS:
            raise InputError("the reason cannot be used", hint=f"write 1 to {_MAX_REASON_CHARS} characters")
        wanted = what or Filter()
        scope.asked(wanted)
        turn = Turn(operation, asked, target, self._unix_ms(), wanted)
        readings = await self._readings(asked.caller)
        turn.roles = tuple(dict.fromkeys(reading.role for reading in readings))
        if asked.role is not None:
            readings = [reading for reading in readings if reading.role == asked.role]
        refusal = Refusal("no role to read in")
        for reading in readings:
            refusal = self._judge(turn, reading, names, by_filter=what is not None) or refusal
        if turn.reading is None:
            turn.sight = Sight(False, refusal.policies)
            hint = "" if turn.reasoned else "say why with `reason`; narrow to your agents; or ask an administrator"
            message = f"{operation} is refused: {refusal.message}"
            await self._refuse(turn, message, code="read-refused", hint=refusal.hint or hint)
        turn.what = turn.narrow or turn.what
        return turn

    def _judge(self, turn: Turn, reading: Reading, names: tuple[str, ...], *, by_filter: bool) -> "Refusal | None":
        """Take this role for the turn if it shows more than any before; return why it may not ask, if so."""
        refusal: Refusal | None = None
        for narrow, box in self._choices(turn, reading, by_filter=by_filter):
            sight = self.point.judge(reading, turn.operation, box, now_ms=turn.now_ms, reasoned=turn.reasoned)
            if not sight.allowed:
                refusal = refusal or Refusal(sight.message, sight.policies)
                continue
            try:
                scope.require_visible((*msgspec.to_builtins(turn.what), *names), sight.parts)
            except NotPermittedError as error:
                return Refusal(error.message, sight.policies, error.hint)
            if turn.reading is None or len(sight.parts) > len(turn.sight.parts):
                turn.reading, turn.sight, turn.narrow = reading, sight, narrow
            return None
        return refusal

    def _choices(self, turn: Turn, reading: Reading, *, by_filter: bool) -> list[tuple[Filter, Box]]:
        if by_filter:
            return [(narrow, scope.asked(narrow)) for narrow in scope.narrowed(turn.what, reading)]
        return [(turn.what, box) for box in scope.favourable(reading)]

    async def _readings(self, caller: Identity) -> list[Reading]:
        own = None if "*" in caller.agents else caller.agents
        granted = await self.log.grants()
        grants = [grant for grant in (*self._configured, *granted) if grant.principal == caller.principal]
        return [
            *(Reading(caller.principal, role, own) for role in READING_ROLES if role in caller.roles),
            *(_granted(grant, own) for grant in grants),
        ]

    def _sees(self, turn: Turn) -> Callable[[Box], frozenset[Part]]:
        reading = turn.reading
        assert reading is not None  # noqa: S101  # admitted

        def sees(place: Box) -> frozenset[Part]:
            return self.point.sees(reading, place, now_ms=turn.now_ms, reasoned=turn.reasoned)

        return sees

    # step 3

    async def _ask(self, turn: Turn, question: Callable[[], Any], *, timeout_s: float | None = None) -> Any:
        try:
            return await self.lane.run(question, timeout_s=timeout_s)
        except NotPermittedError as error:
            await self._refuse(turn, error.message, code=error.code, hint=error.hint)

    async def run_export(self, turn: "Turn", question: Callable[[], Any]) -> Any:
        """Run an export's query in the lane."""
        return await self._ask(turn, question, timeout_s=self.bounds.export_timeout_s)

    # step 5

    async def _note(
        self, turn: Turn, *, count: int, ids: Sequence[str] = (), withheld: int = 0, digest: str | None = None
    ) -> Note:
        record_id = await self._record(turn, outcome="allowed", count=count, ids=ids, digest=digest)
        self.counts["allowed"] += 1
        role = turn.reading.role if turn.reading else ""
        return Note(record_id, role, turn.sight.hidden, withheld)

    async def _refuse(self, turn: Turn, message: str, *, code: str, hint: str = "") -> None:
        await self._record(turn, outcome="refused", refusal=code)
        self.counts["refused"] += 1
        raise NotPermittedError(message, code=code, hint=hint)

    async def _record(
        self,
        turn: Turn,
        *,
        outcome: str,
        refusal: str | None = None,
        count: int | None = None,
        ids: Sequence[str] = (),
        digest: str | None = None,
    ) -> str:
        caller = turn.asked.caller
        reading = turn.reading
        access = {
            "service": "evidence",
            "operation": turn.operation,
            "reader": {
                "principal": caller.principal,
                "proof": caller.how,
                "roles": [reading.role] if reading else list(turn.roles),
            },
            "target": scope.plain(turn.target) if turn.target else None,
            "filter": scope.terms(turn.what),
            "outcome": outcome,
            "refusal": refusal,
            "policies": list(turn.sight.policies)[:32],
            "policy_version": self.point.version,
            "hidden": turn.sight.hidden if outcome == "allowed" else [],
            "count": count,
            "record_ids": list(dict.fromkeys(ids))[:_MAX_IDS],
            "digest": digest,
            "reason": turn.asked.reason,
            "approver": None,
        }
        try:
            return await _twice(lambda key: self.log.record(access, key))
        except SealgateError as error:
            self.counts["unrecorded"] += 1
            raise UnavailableError(
                f"this read could not be recorded, so it is not answered: {error.message}",
                hint="evidence is read only while the authority can record; see `sealgate doctor`",
            ) from error


class Refusal(msgspec.Struct, frozen=True):
    """Why a role may not ask: in words, and the policies that determined it."""

    message: str
    policies: tuple[str, ...] = ()
    hint: str = ""


def _granted(grant: Grant, own: frozenset[str] | None) -> Reading:
    return Reading(
        grant.principal,
        grant.role,
        own,
        box=scope.box_of(grant),
        boxed=bool(grant.agents or grant.kinds or grant.since or grant.until),
        valid_from_ms=unix_ms(grant.valid_from) if grant.valid_from else 0,
        valid_until_ms=unix_ms(grant.valid_until) if grant.valid_until else FOREVER_MS,
    )


async def _twice(send: Callable[[str], Awaitable[str]]) -> str:
    """Send under one id, again if the first answer was lost: it counts once."""
    key = str(uuid.uuid4())
    try:
        return await send(key)
    except UnavailableError:
        return await send(key)
