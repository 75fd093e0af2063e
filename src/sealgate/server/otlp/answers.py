"""The answers of OTLP, in protobuf and in JSON: partial success, and google.rpc.Status where nothing was taken."""

from typing import Any, Final

import orjson
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from sealgate.model.errors import BusyError, InputError, NotPermittedError, SealgateError, UnavailableError
from sealgate.telemetry.requests import Encoding, Signal

from .intake import RETRY_AFTER_S, Answer

INVALID: Final = 3
PERMISSION_DENIED: Final = 7
RESOURCE_EXHAUSTED: Final = 8
UNIMPLEMENTED: Final = 12
INTERNAL: Final = 13
UNAVAILABLE: Final = 14
"""Codes of gRPC, which the status in an HTTP answer has too."""

_RESPONSE: Final[dict[Signal, Any]] = {"traces": ExportTraceServiceResponse, "logs": ExportLogsServiceResponse}
_REJECTED: Final[dict[Signal, tuple[str, str]]] = {
    "traces": ("rejected_spans", "rejectedSpans"),
    "logs": ("rejected_log_records", "rejectedLogRecords"),
}


def success(answer: Answer, signal: Signal, encoding: Encoding) -> bytes:
    """Return the answer to a request that was taken, in whole or in part."""
    field, member = _REJECTED[signal]
    if encoding == "json":
        partial = {member: str(answer.rejected), "errorMessage": answer.message}
        return orjson.dumps({"partialSuccess": partial} if answer.rejected else {})
    response = _RESPONSE[signal]()
    if answer.rejected:
        setattr(response.partial_success, field, answer.rejected)
        response.partial_success.error_message = answer.message
    return response.SerializeToString()  # type: ignore[no-any-return]  # protobuf has no types


def status(code: int, message: str, encoding: Encoding) -> bytes:
    """Return the body of an HTTP answer other than 200."""
    if encoding == "json":
        return orjson.dumps({"code": code, "message": message})
    return rpc_status(code, message)


def rpc_status(code: int, message: str) -> bytes:
    """Return google.rpc.Status; what may be sent again says so and when."""
    made = Status(code=code, message=message)
    if code in {RESOURCE_EXHAUSTED, UNAVAILABLE}:
        detail = AnyMessage()
        detail.Pack(RetryInfo(retry_delay=Duration(seconds=RETRY_AFTER_S)))
        made.details.append(detail)
    return made.SerializeToString()  # type: ignore[no-any-return]  # protobuf has no types


def code_of(error: SealgateError) -> int:
    """Return the gRPC code that answers an error. What is not the caller's fault and passes is UNAVAILABLE."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    return INTERNAL


_CODES: Final = (
    (BusyError, RESOURCE_EXHAUSTED),
    (UnavailableError, UNAVAILABLE),
    (InputError, INVALID),
    (NotPermittedError, PERMISSION_DENIED),
)

HTTP_OF_CODE: Final = {
    INVALID: 400,
    PERMISSION_DENIED: 403,
    RESOURCE_EXHAUSTED: 429,
    UNIMPLEMENTED: 404,
    INTERNAL: 500,
    UNAVAILABLE: 503,
}
"""The HTTP status of each code. OTLP exporters send again after 429 and 503, and after no other of these."""
