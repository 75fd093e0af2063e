"""Posts each request for approval to a webhook, signed, until it is taken or nobody waits any more.

One thread of its own: a slow receiver delays only its own notices. At least once: what was not taken before a restart
is posted again after it, with the same id. The signature is that of ``authority.approval_callbacks``, in the header
``Sealgate-Signature: t=<unix seconds>,n=<nonce>,v1=<hex>``; time and nonce are new at each try.
"""

import heapq
import logging
import secrets
import threading
import time
from collections.abc import Callable
from typing import Final

import httpx
import msgspec

from sealgate.encoding.callback_signature import MIN_KEY_BYTES, signature
from sealgate.model.approvals import ApprovalView
from sealgate.model.errors import ConfigurationError

_LOG = logging.getLogger(__name__)
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 300.0
MAX_WAITING: Final = 10_000


class Webhook:
    """Sends notices. ``notify`` may be called from any thread; it never blocks and never raises."""

    def __init__(
        self,
        url: str,
        key: bytes,
        *,
        timeout_s: float = 5.0,
        now_s: Callable[[], float] = time.time,
        first_pause_s: float = _FIRST_PAUSE_S,
    ) -> None:
        if len(key) < MIN_KEY_BYTES:
            raise ConfigurationError(f"the key of the approvals webhook has fewer than {MIN_KEY_BYTES} bytes")
        self._url = url
        self._key = key
        self._now_s = now_s
        self._first_pause_s = first_pause_s
        self._client = httpx.Client(timeout=timeout_s, follow_redirects=False)
        self._queue: list[tuple[float, int, float, str, bytes]] = []
        self._number = 0
        self._wake = threading.Condition()
        self._closed = False
        self.delivered = 0
        self.failed = 0
        self._thread = threading.Thread(target=self._run, name="approvals-webhook", daemon=True)
        self._thread.start()

    def notify(self, approval: ApprovalView) -> None:
        """Post a request for approval as soon as possible."""
        body = msgspec.json.encode({"type": "approval.requested", "approval": approval})
        with self._wake:
            if len(self._queue) >= MAX_WAITING:
                _LOG.warning("approvals webhook: too much waits; approval %s is not told", approval.id)
                return
            self._push(0.0, self._first_pause_s, approval.expires_at, body)
            self._wake.notify()

    def _push(self, at: float, pause_s: float, expires_at: str, body: bytes) -> None:
        self._number += 1
        heapq.heappush(self._queue, (at, self._number, pause_s, expires_at, body))

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._closed and (not self._queue or self._queue[0][0] > time.monotonic()):
                    self._wake.wait(None if not self._queue else max(0.01, self._queue[0][0] - time.monotonic()))
                if self._closed:
                    return
                _, _, pause_s, expires_at, body = heapq.heappop(self._queue)
            if self._post(body):
                self.delivered += 1
                continue
            self.failed += 1
            if _rfc3339(self._now_s()) < expires_at:  # later nobody waits for it
                with self._wake:
                    again = min(2 * pause_s, _LONGEST_PAUSE_S)
                    self._push(time.monotonic() + pause_s, again, expires_at, body)

    def _post(self, body: bytes) -> bool:
        timestamp, nonce = int(self._now_s()), secrets.token_urlsafe(18)
        mark = signature(self._key, timestamp, nonce, body)
        headers = {
            "content-type": "application/json",
            "sealgate-signature": f"t={timestamp},n={nonce},v1={mark}",
        }
        try:
            answer = self._client.post(self._url, content=body, headers=headers)
        except httpx.HTTPError as error:
            _LOG.warning("approvals webhook: %s", type(error).__name__)  # its text may hold the address's secrets
            return False
        if not answer.is_success:
            _LOG.warning("approvals webhook: answered %d", answer.status_code)
        return answer.is_success

    def close(self) -> None:
        """Stop; what was not taken is told again after the next start."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join(10)
        self._client.close()


def _rfc3339(unix_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(unix_s)) + "Z"
