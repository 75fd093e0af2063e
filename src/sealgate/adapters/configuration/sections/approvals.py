"""How people are asked, and who may answer."""

# the calls in class bodies make dataclass fields, which are no shared state

from dataclasses import dataclass

from sealgate.adapters.configuration.setting import optional, required


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """How people are asked where a policy requires their approval. Who may answer: `approver_roles`, `[[approver]]`."""

    ttl_s: int = optional(
        3600, "An approval that was not used by then is as good as refused.", "seconds", least=1, most=604_800
    )
    prompts_per_hour: int = optional(
        60,
        "People are asked so often for one agent; beyond it nobody is asked and nothing runs.",
        "requests",
        least=1,
        most=100_000,
    )
    max_open: int = optional(1000, "So many approvals wait at once.", "approvals", least=1, most=10_000)
    webhook: str = optional("", "Where each request is posted, signed: `https://…`; empty: nowhere.")
    webhook_key: str = optional(
        "", "Where the key that signs it is (at least 32 bytes): `file:`, `credential:` or `command:`."
    )
    webhook_timeout_s: int = optional(5, "How long one try of it may take.", "seconds", least=1, most=60)
    callback_key: str = optional(
        "", "Where the key is that signs answers to `/v1/approvals/callback` (at least 32 bytes); empty: none is taken."
    )
    callback_approvers: tuple[str, ...] = optional(
        (), "The people whose answers a signed callback may bring; each needs an approver role too."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproverEntry:
    """Who may approve, by the name that records give the caller; repeat `[[approver]]`.

    For API keys and other callers that no `[[identity]]` names; there `approver_roles` says the same.
    """

    principal: str = required("The name of an identity or API key: one person.")
    roles: tuple[str, ...] = optional((), "The roles of policies (`@require_approval`) that this person may fill.")
