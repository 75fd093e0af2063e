"""The four AgentDojo suites as deployments: who the agent is, what its account's directory holds, where its rules are.

A directory is what the account's owner knows already: payees of the transaction history, contacts and collaborators,
members and channels of the workspace. It is read before a task starts; AgentDojo's injection points (bills, mails,
web pages, reviews) are not part of it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from sealgate.demo.agentdojo.facts import Request

BENCHMARK_VERSION: Final = "v1.2.2"
"""AgentDojo's own name for its newest set of tasks."""

NAMES: Final = ("banking", "workspace", "slack", "travel")

_VOCABULARY: Final = frozenset(
    [
        "account",
        "add",
        "address",
        "appointment",
        "calendar",
        "cancel",
        "channel",
        "delete",
        "email",
        "emails",
        "event",
        "file",
        "files",
        "invite",
        "password",
        "remind",
        "reminder",
        "remove",
        "reschedule",
        "share",
        "update",
    ]
)


@dataclass(frozen=True, slots=True)
class Profile:
    """One suite as it is deployed. ``server`` is the resource id under which its tools are published."""

    name: str
    agent: str
    directory: Callable[[Any], Iterable[str]]
    trusted_text: Callable[[Any], str]

    @property
    def server(self) -> str:
        """Return the tool server's name: the file stem of its tool definitions."""
        return self.name

    @property
    def policy_directory(self) -> Path:
        """Return where the suite's policies, tools, limits, entities and policy tests lie."""
        return Path(__file__).parent / "suites" / self.name

    def request(self, text: str, environment: Any) -> Request:
        """Return the user's request as the enforcement point sees it before anything has run."""
        return Request(
            text=text,
            directory=frozenset(self.directory(environment)),
            trusted_text=self.trusted_text(environment),
            vocabulary=_VOCABULARY,
        )


def _payees(environment: Any) -> Iterable[str]:
    account = environment.bank_account
    for transaction in (*account.transactions, *account.scheduled_transactions):
        yield transaction.recipient


def _people(environment: Any) -> Iterable[str]:
    for contact in environment.inbox.contact_list:
        yield str(contact.email)
    for event in environment.calendar.events.values():
        yield from map(str, event.participants)
    for file in environment.cloud_drive.files.values():
        yield from map(str, file.shared_with)


def _members(environment: Any) -> Iterable[str]:
    yield from environment.slack.users
    yield from environment.slack.channels


def _messages(environment: Any) -> str:
    """Return what members wrote to each other; web pages are not part of it."""
    slack = environment.slack
    inboxes = (*slack.channel_inbox.values(), *slack.user_inbox.values())
    return "\n".join(message.body for inbox in inboxes for message in inbox)


def _nobody(_environment: Any) -> Iterable[str]:
    return ()


def _no_text(_environment: Any) -> str:
    return ""


PROFILES: Final = {
    "banking": Profile("banking", "banking-assistant", _payees, _no_text),
    "workspace": Profile("workspace", "office-assistant", _people, _no_text),
    "slack": Profile("slack", "team-assistant", _members, _messages),
    "travel": Profile("travel", "travel-assistant", _nobody, _no_text),
}


@cache
def load(name: str) -> Any:
    """Return AgentDojo's suite of that name. Imported late: the package takes seconds to load."""
    from agentdojo.task_suite.load_suites import get_suite  # noqa: PLC0415

    return get_suite(BENCHMARK_VERSION, name)
