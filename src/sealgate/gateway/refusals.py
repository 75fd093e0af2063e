"""How a refusal looks to the client: for a tool call a result that a model reads, for all else an error. Pure."""

from collections.abc import Mapping
from typing import Any

from sealgate.gateway.envelope import REFUSED, Answer, Envelope, Members, failure
from sealgate.gateway.methods import CALL, is_modern


def refusal(message: Envelope, text: str, *, data: Mapping[str, Any] | None = None) -> Answer:
    """Return the answer that refuses a request."""
    if message.method != CALL:
        return failure(REFUSED, text, data)
    result: Members = {"content": [{"type": "text", "text": text}], "isError": True}
    if is_modern(message):
        result["resultType"] = "complete"
    return {"result": result}
