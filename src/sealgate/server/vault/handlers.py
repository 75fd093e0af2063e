"""What each route of the vault does: in a thread, because the database and the authority make it wait."""

import asyncio
import functools
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol, TypeVar

import msgspec

from sealgate.model.errors import UnavailableError
from sealgate.server import metrics
from sealgate.server.api import Api
from sealgate.server.decoding import decode
from sealgate.server.handlers import Call
from sealgate.server.messages import Response
from sealgate.server.openapi import document
from sealgate.server.vault import messages, routes
from sealgate.vault.erasure import SubjectErasures
from sealgate.vault.lookups import Lookups
from sealgate.vault.tokens import Tokens, Value

_encode = msgspec.json.Encoder().encode
_THREADS: Final = 4
_RESUME_S: Final = 30.0
_T = TypeVar("_T")


class Closes(Protocol):
    """Something to let go of at the end."""

    def close(self) -> None:
        """Let go."""


class VaultService:
    """The vault's parts and its life: erasures that were interrupted go on at the start and now and then."""

    def __init__(self, tokens: Tokens, lookups: Lookups, erasures: SubjectErasures, store: Closes) -> None:
        self.tokens = tokens
        self.lookups = lookups
        self.erasures = erasures
        self._store = store
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="vault")
        self._resuming: asyncio.Task[None] | None = None

    async def run(self, work: Callable[[], _T]) -> _T:
        """Return ``work()``, done in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def start(self) -> None:
        """Begin; the authority need not be there yet."""
        self._resuming = asyncio.create_task(self._resume(), name="erasures")

    async def stop(self) -> None:
        """Finish what is under way and close the database."""
        if self._resuming is not None:
            self._resuming.cancel()
            await asyncio.gather(self._resuming, return_exceptions=True)
        await asyncio.get_running_loop().run_in_executor(None, self._pool.shutdown)
        self._store.close()

    async def _resume(self) -> None:
        while True:
            await self.run(self.erasures.resume)
            await asyncio.sleep(_RESUME_S)


class VaultHandlers:
    """The handlers over one vault."""

    def __init__(self, service: VaultService, counts: metrics.Metrics) -> None:
        self._service = service
        self._counts = counts
        self._openapi = document_bytes()
        self.stopping = False

    async def exchange(self, call: Call) -> Response:
        """Exchange values for tokens."""
        wanted: messages.TokensRequest = _typed(call)
        tokens = await self._run(self._service.tokens.exchange, wanted.values)
        return _answer(messages.TokensAnswer(tokens))

    async def known(self, call: Call) -> Response:
        """Return all known values."""
        return _answer(await self._run(self._service.tokens.known, None, call.caller))

    async def known_since(self, call: Call) -> Response:
        """Return the known values unless the caller has them."""
        return _answer(await self._run(self._service.tokens.known, call.parameters["version"], call.caller))

    async def register(self, call: Call) -> Response:
        """Register a person."""
        wanted: messages.SubjectRequest = _typed(call)
        subject = await self._run(self._service.tokens.register, wanted.values, wanted.subject, call.caller)
        return _answer(messages.SubjectAnswer(subject))

    async def find(self, call: Call) -> Response:
        """Find persons by a value."""
        wanted: messages.FindRequest = _typed(call)
        value = Value(wanted.type, wanted.value)
        return _answer(messages.FindAnswer(await self._run(self._service.tokens.find, value, call.caller)))

    async def status(self, call: Call) -> Response:
        """Return how far a subject is."""
        return _answer(await self._run(self._service.erasures.status, call.parameters["subject"]))

    async def export(self, call: Call) -> Response:
        """Export a person's values."""
        return _answer(await self._run(self._service.tokens.export, call.parameters["subject"], call.caller))

    async def erase(self, call: Call) -> Response:
        """Erase a person."""
        return _answer(
            await self._run(self._service.erasures.erase, call.parameters["subject"], _typed(call), call.caller)
        )

    async def request_lookup(self, call: Call) -> Response:
        """Ask for a look-up."""
        wanted: messages.LookupRequest = _typed(call)
        return _answer(await self._run(self._service.lookups.request, wanted.token, wanted.reason, call.caller))

    async def pending(self, call: Call) -> Response:
        """Return what waits for consent."""
        del call
        return _answer(messages.LookupsAnswer(await self._run(self._service.lookups.pending)))

    async def fetch(self, call: Call) -> Response:
        """Return a look-up, with its value if it may be told."""
        return _answer(await self._run(self._service.lookups.fetch, call.parameters["lookup"], call.caller))

    async def consent(self, call: Call) -> Response:
        """Agree."""
        return await self._decide(call, consent=True)

    async def refuse(self, call: Call) -> Response:
        """Refuse."""
        return await self._decide(call, consent=False)

    async def _decide(self, call: Call, *, consent: bool) -> Response:
        if call.request.body:
            _typed(call)
        decide = functools.partial(self._service.lookups.decide, consent=consent)
        return _answer(await self._run(decide, call.parameters["lookup"], call.caller))

    async def health(self, call: Call) -> Response:
        """Say that the process answers."""
        del call
        return Response(200, b'{"status":"ok"}')

    async def metrics(self, call: Call) -> Response:
        """Return the figures."""
        del call
        return Response(200, self._counts.exposition({}), metrics.CONTENT_TYPE)

    async def document(self, call: Call) -> Response:
        """Return the OpenAPI document."""
        del call
        return Response(200, self._openapi)

    async def _run(self, work: Callable[..., _T], *arguments: Any) -> _T:
        if self.stopping:
            raise UnavailableError("the vault is stopping", hint="try again")
        return await self._service.run(functools.partial(work, *arguments))


def document_bytes() -> bytes:
    """Return the OpenAPI document as it is served and published."""
    made = document(routes.ROUTES, routes.TITLE, routes.DESCRIPTION)
    return json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def vault_api(service: VaultService) -> Api:
    """Return the vault's API."""
    counts = metrics.Metrics()
    return Api(service, routes.ROUTES, VaultHandlers(service, counts), counts)


def _typed(call: Call) -> Any:
    return decode(call.request.body, call.route.takes, max_bytes=call.route.max_bytes)


def _answer(content: Any) -> Response:
    return Response(200, _encode(content), headers=[(b"cache-control", b"no-store")])
