"""Every bound of the server in one place: a name, a unit, a reason. Those of the API's content are in model.limits."""

from typing import Final

MAX_HEAD_BYTES: Final = 16 * 1024
"""Request line and headers of one request, in bytes."""

MAX_HEADERS: Final = 64
"""Header fields of one request."""

MAX_TARGET_BYTES: Final = 8192
"""The request target (path and query), in bytes. An identifier of 256 characters takes up to 3,072, percent-encoded."""

MAX_PIPELINED: Final = 16
"""Requests of one connection that wait behind the one being answered; beyond it the connection is not read."""

MAX_POLICY_BUNDLE_BYTES: Final = 8 * 1024 * 1024
"""One policy bundle, in bytes."""

MAX_REQUEST_ID_BYTES: Final = 200
"""``X-Request-ID``, in bytes. Leaves room for the number of an evaluation in a batch."""

MAX_CONNECTIONS: Final = 1024
"""Open connections of all listeners; the next one is told 503 and closed."""

MAX_IN_FLIGHT: Final = 512
"""Decisions that wait for their record at once. Beyond it the answer is SILENCE `overloaded`."""

REQUEST_TIMEOUT_S: Final = 10.0
"""From the first byte of a request to its last: bounds a caller that sends slowly."""

FIRST_BYTE_TIMEOUT_S: Final = 10.0
"""From the connection to its first byte."""

KEEP_ALIVE_S: Final = 75.0
"""How long a connection may rest between two requests. Longer than the usual client pool keeps one."""

WRITE_TIMEOUT_S: Final = 30.0
"""How long a caller may take to read an answer."""

LINGER_S: Final = 2.0
"""How long a refused caller's bytes are still read and thrown away, so that it sees the refusal and not a reset."""

HANDSHAKE_TIMEOUT_S: Final = 10.0
"""TLS handshake."""

STOP_TIMEOUT_S: Final = 10.0
"""How long a stop waits for answers that are under way."""

RETRY_AFTER_S: Final = 1
"""What a caller is told to wait after 503."""
