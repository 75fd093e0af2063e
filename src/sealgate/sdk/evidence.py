"""Reads evidence from Python: a thin client of the evidence service.

Every call is itself recorded before it is answered. What the role may not see is missing, and ``access`` in each answer
says which parts were hidden. Answers are the service's JSON; ``/openapi.json`` of the service describes them.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, Self
from urllib.parse import quote

import httpx

from sealgate.model.errors import AlteredError, InputError, NotPermittedError, SealgateError, UnavailableError
from sealgate.sdk.newfile import new_file

_TIMEOUT_S: Final = 660.0
"""An export may take ten minutes; the service bounds everything else itself."""

Json = dict[str, Any]
Progress = Callable[[int, int], None]


class EvidenceClient:
    """Asks one evidence service. Safe to use from many threads."""

    def __init__(
        self,
        *,
        socket: Path | str | None = None,
        url: str = "",
        api_key: str = "",
        reason: str | None = None,
        role: str | None = None,
    ) -> None:
        """Name the service by its Unix socket or HTTPS address.

        Args:
            socket: the service's Unix socket; the process itself is the proof of who asks.
            url: its HTTPS address.
            api_key: the bearer key for ``url``.
            reason: why evidence is read; recorded with every call.
            role: the role to read in; None: the one that shows most.

        Raises:
            InputError: neither or both of socket and address are given.
        """
        if (socket is None) == (not url):
            raise InputError("name the evidence service once", hint="give `socket` or `url`")
        transport = None if socket is None else httpx.HTTPTransport(uds=str(socket))
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._where = str(socket or url)
        self._client = httpx.Client(
            transport=transport, base_url=url or "http://sealgate", timeout=_TIMEOUT_S, headers=headers
        )
        self._why: Json = {"reason": reason, "role": role}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def trace(self, ident: str) -> Json:
        """Return the decision chain of a task, trace, session or record as a tree."""
        return self._post(f"/v1/traces/{quote(ident, safe='')}", {})

    def search(
        self,
        filter: Mapping[str, str | int] | None = None,  # noqa: A002
        *,
        after: str | None = None,
        limit: int = 100,
    ) -> Json:
        """Return one page of records, newest first; ``page.next`` continues it."""
        return self._post("/v1/search", {"filter": dict(filter or {}), "after": after, "limit": limit})

    def pages(self, filter: Mapping[str, str | int] | None = None, *, limit: int = 1000) -> Iterator[list[Json]]:  # noqa: A002
        """Yield the rows of all pages; each page is a call of its own, and a record of its own."""
        after: str | None = None
        while True:
            page = self.search(filter, after=after, limit=limit)["page"]
            yield page["rows"]
            after = page["next"]
            if after is None:
                return

    def aggregate(
        self,
        filter: Mapping[str, str | int] | None = None,  # noqa: A002
        *,
        group_by: Sequence[str] = (),
        measure: str = "count",
        limit: int = 100,
    ) -> Json:
        """Return groups of records and a measure of each."""
        body = {"filter": dict(filter or {}), "group_by": list(group_by), "measure": measure, "limit": limit}
        return self._post("/v1/aggregate", body)

    def explain(self, record_id: str) -> Json:
        """Return one record in plain words."""
        return self._post(f"/v1/explain/{quote(record_id, safe='')}", {})

    def status(self) -> Json:
        """Return how far the store follows the log."""
        return self._json(self._send("GET", "/v1/evidence/status", None))

    def export(
        self,
        destination: Path,
        filter: Mapping[str, str | int] | None = None,  # noqa: A002
        *,
        format: str = "jsonl",  # noqa: A002
        progress: Progress | None = None,
    ) -> Json:
        """Write all records of a filter into a new file, which has its name only when it is whole.

        Raises:
            InputError: there is such a file.
            AlteredError: what came is not what was recorded; no file is left.
        """
        with new_file(destination) as file:
            return self.export_into(file, filter, format=format, progress=progress)

    def export_into(
        self,
        file: IO[bytes],
        filter: Mapping[str, str | int] | None = None,  # noqa: A002
        *,
        format: str = "jsonl",  # noqa: A002
        progress: Progress | None = None,
    ) -> Json:
        """Write all records of a filter into an open file, checked against what was recorded.

        Raises:
            AlteredError: what came is not that; nothing of the file may be used.
        """
        made = self._post("/v1/exports", {"filter": dict(filter or {}), "format": format})
        ready = made["export"]
        digest, done = hashlib.sha256(), 0
        for part in range(ready["parts"]):
            content = self._send("GET", f"/v1/exports/{ready['export_id']}/parts/{part}", None).content
            digest.update(content)
            file.write(content)
            done += len(content)
            if progress is not None:
                progress(done, ready["bytes"])
        if (done, digest.hexdigest()) != (ready["bytes"], ready["digest"]):
            raise AlteredError("the export is not what was recorded", hint="make it again")
        return made

    def _post(self, path: str, body: Json) -> Json:
        return self._json(self._send("POST", path, {**body, **self._why}))

    def _json(self, answer: httpx.Response) -> Json:
        content: Json = answer.json()
        return content

    def _send(self, method: str, path: str, body: Json | None) -> httpx.Response:
        try:
            answer = self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            hint = "start it: `sealgate serve`, or `sealgate evidence serve`"
            raise UnavailableError(
                f"no evidence service answers at `{self._where}`: {type(error).__name__}", hint=hint
            ) from error
        if answer.status_code == httpx.codes.OK:
            return answer
        raise _refusal(answer)


def _refusal(answer: httpx.Response) -> SealgateError:
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    detail = str(problem.get("detail") or problem.get("title") or f"the service answered {answer.status_code}")
    hint, code = str(problem.get("hint") or ""), str(problem.get("type") or "").rpartition(":")[2]
    if answer.status_code >= 500:
        return UnavailableError(detail, hint=hint)
    if answer.status_code in {401, 403, 404, 409, 422}:
        return NotPermittedError(detail, code=code or "not-permitted", hint=hint)
    return InputError(detail, hint=hint)
