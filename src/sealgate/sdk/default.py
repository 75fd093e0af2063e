"""The default client: the one of code that names none."""

from typing import Final

from sealgate.sdk.answers import Recorded
from sealgate.sdk.asking import capture
from sealgate.sdk.chain import Chain
from sealgate.sdk.client import AsyncClient, Client
from sealgate.sdk.core import default_core, set_default_core
from sealgate.sdk.drafts import Draft


def configure(client: Client | AsyncClient | None) -> None:
    """Make ``client`` the one of ``guard``, ``task``, ``step`` and ``log_event``; None returns to the environment."""
    set_default_core(None if client is None else client.core)


def default_client() -> Client:
    """Return the default client: the configured one, else one made from the environment."""
    return Client(core=default_core())


class _Default(Chain[Recorded]):
    """The chain of the default client, whichever that is at each call."""

    def __init__(self) -> None:
        self._core_of = default_core

    def _capture(self, draft: Draft) -> Recorded:
        return capture(default_core(), draft)


_default: Final = _Default()
session = _default.session
task = _default.task
step = _default.step
model_call = _default.model_call
tool_call = _default.tool_call
input_received = _default.input_received
context_retrieved = _default.context_retrieved
fallback = _default.fallback
record_error = _default.error
log_event = _default.log_event
declare_coverage = _default.declare_coverage
