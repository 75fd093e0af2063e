"""The Cedar project's own test corpus, read from its archives: policies, entities, schema, requests, answers."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from sealgate.model.decisions import Outcome
from sealgate.policy.engine import Evaluator, Question, Verdict, load_entities
from sealgate.policy.entities import EntityStore, references
from sealgate.policy.policy_set import Policy, parse_policies
from sealgate.policy.schema import parse_schema

ARCHIVES = ("corpus-tests.tar.gz", "handwritten-tests.tar.xz")


@dataclass(frozen=True, slots=True)
class Case:
    """One file of requests that share policies, entities and schema, all still unparsed."""

    name: str
    policies: str
    entities: bytes
    schema: str
    requests: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A case, parsed. Policies are named by position, as the corpus names them."""

    policies: dict[str, Policy]
    entities: EntityStore
    schema: Any

    def evaluator(self, *, sliced: bool = True) -> Evaluator:
        """Return the decision function of this case: the one that the decision point uses."""
        return Evaluator(self.policies, self.entities, self.schema, sliced=sliced)


def cases(folder: Path, *, every: int = 1) -> Iterator[Case]:
    """Yield each case, or every n-th of the large archive."""
    for archive in ARCHIVES:
        with tarfile.open(folder / "cedar" / archive) as tar:
            files = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
            contents = {name: file.read() for name, file in files.items() if file is not None}
        names = [name for name in sorted(contents) if name.endswith(".json") and _is_case(contents[name])]
        step = every if archive == ARCHIVES[0] else 1
        for name in names[::step]:
            head = orjson.loads(contents[name])
            yield Case(
                name,
                contents[head["policies"]].decode(),
                contents[head["entities"]],
                contents[head["schema"]].decode(),
                head["requests"],
            )


def _is_case(data: bytes) -> bool:
    return data.lstrip().startswith(b"{") and b'"requests"' in data


def load(case: Case) -> Loaded:
    """Parse a case with the product's own functions."""
    schema = parse_schema(case.schema)
    policies = {f"policy{n}": policy for n, policy in enumerate(parse_policies(case.policies, "policy"))}
    return Loaded(policies, load_entities(orjson.loads(case.entities), schema), schema)


def question(request: dict[str, Any]) -> Question:
    """Return a corpus request as the decision function is asked it."""
    principal, action, resource = (
        (request[part]["type"], request[part]["id"]) for part in ("principal", "action", "resource")
    )
    context = orjson.dumps(request["context"]).decode()
    return Question(principal, action, resource, context, frozenset(references(request["context"])))


def expected(request: dict[str, Any]) -> Outcome:
    """Return the outcome that the corpus' answer means here: an allow with an error is SILENCE, so is an empty deny."""
    if request["decision"] == "allow":
        return Outcome.SILENCE if request["errors"] else Outcome.PERMIT
    return Outcome.DENY if request["reason"] else Outcome.SILENCE


def agrees(verdict: Verdict, request: dict[str, Any]) -> bool:
    """Tell whether decision, determining policies and the fact of an error are those of the corpus."""
    return (
        verdict.outcome is expected(request)
        and list(verdict.policies) == sorted(request["reason"])
        and bool(verdict.errors) == bool(request["errors"])
    )
