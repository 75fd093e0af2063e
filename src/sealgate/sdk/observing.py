"""Telling the authority what entered a task, so that policies can ask where a value came from."""

from collections.abc import Sequence
from typing import Any, Final, Literal

from sealgate.encoding import canonical
from sealgate.model.errors import EncodingError, InputError
from sealgate.sdk import calls
from sealgate.sdk.tracing import Span
from sealgate.sdk.transport import Call

Origin = Literal["person", "trusted", "untrusted"]

MAX_CONTENT_BYTES: Final = 512 * 1024
"""A larger content is refused here: tell it in parts."""


def call(
    agent: str,
    span: Span,
    origin: Origin,
    content: Any,
    *,
    values: Sequence[Any] = (),
    source: str | None = None,
    classification: str | None = None,
) -> Call:
    """Return the request for one observation.

    Raises:
        InputError: there is no task, or the content has no JSON form or is too large.
    """
    if span.task_id is None:
        raise InputError("nothing can be observed outside of a task", hint="with client.task(...) as task:")
    text = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
    given = list(values)
    if text is not None and not isinstance(text, str):
        given.append(text)
    try:
        canonical.encode_arguments({"values": given, "text": text if isinstance(text, str) else ""})
    except EncodingError as error:
        raise InputError(f"this cannot be observed: {error.message}", hint="tell it as text, in parts") from error
    return calls.observation(
        agent,
        span.task_id,
        origin,
        values=given,
        text=text if isinstance(text, str) else "",
        source=source,
        classification=classification,
        traceparent=span.traceparent,
    )


def wanted(
    agent: str,
    span: Span,
    origin: Origin,
    content: Any,
    *,
    source: str | None = None,
    classification: str | None = None,
) -> Call | None:
    """Return the request where the task asks for it (``observe=True``) and there is content, else None."""
    if not span.observe or span.task_id is None or content is None:
        return None
    return call(agent, span, origin, content, source=source, classification=classification)
