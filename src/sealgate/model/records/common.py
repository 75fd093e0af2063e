"""What every record has, whatever it is about."""

import msgspec


class Producer(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Who wrote it: the authority's start (16 random bytes, hex) and a count without gaps."""

    epoch: str
    seq: int


class Agent(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """On whose account: the agent, the caller that spoke for it, how that caller was proved, the delegation chain."""

    id: str
    principal: str
    proof: str
    on_behalf_of: list[str]


class Trace(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """W3C trace context, lower-case hex."""

    trace_id: str | None
    span_id: str | None
    parent_span_id: str | None


class Common(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What every record has. ``time`` is RFC 3339 UTC with milliseconds; ``salt`` hides the body behind its digest."""

    kind: str
    record_id: str
    time: str
    salt: str
    producer: Producer
    agent: Agent | None
    trace: Trace | None
    task_id: str | None
    request_id: str | None
    region: str
    environment: str
    retention_class: str
