"""How several servers look like one: their greetings merged, and whose a prompt, a resource or a task is."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from sealgate.gateway import methods
from sealgate.gateway.catalogue import fetch_all
from sealgate.gateway.envelope import Answer, Envelope, Members
from sealgate.gateway.links import Downstream, Upstream
from sealgate.model.errors import InputError


def capabilities(message: Envelope) -> Members:
    """Return what a client says it can do: in its greeting, or in each request of the protocol without sessions."""
    given = message.meta.get(methods.CAPABILITIES_KEY) or message.params.get("capabilities")
    return given if isinstance(given, dict) else {}


def merged(answers: Mapping[str, Answer]) -> Answer:
    """Return one greeting for several servers: what any of them can do, under our own name."""
    results = {name: answer["result"] for name, answer in answers.items() if "result" in answer}
    if not results:
        return next(iter(answers.values()))
    first = next(iter(results.values()))
    can: Members = {}
    for result in results.values():
        _unite(can, result.get("capabilities") or {})
    told = [f"{name}: {result['instructions']}" for name, result in results.items() if result.get("instructions")]
    whole = {**first, "capabilities": can}
    if "serverInfo" in first:
        whole["serverInfo"] = {"name": "sealgate", "version": version("sealgate")}
    if "protocolVersion" in first:
        whole["protocolVersion"] = min(str(result.get("protocolVersion")) for result in results.values())
    if "supportedVersions" in first:
        common = [set(result.get("supportedVersions") or ()) for result in results.values()]
        whole["supportedVersions"] = sorted(set.intersection(*common), reverse=True)
    whole.pop("instructions", None)
    return {"result": {**whole, "instructions": "\n\n".join(told)} if told else whole}


def _unite(into: Members, more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _unite(into[key], value)
        elif key not in into or value is True:
            into[key] = dict(value) if isinstance(value, dict) else value


async def owner(message: Envelope, upstreams: Sequence[Upstream], client: Downstream) -> Upstream:
    """Return the one server that offers what a request names.

    Raises:
        InputError: none does, or several do: then nobody can say which was meant.
    """
    kind, name = _named(message)
    found = []
    for upstream in upstreams:
        offered: list[Any] = []
        for method in ("prompts/list",) if kind == "prompt" else ("resources/list", "resources/templates/list"):
            offered += (await fetch_all(upstream, method, message.meta, client))[1]
        if any(_fits(item, kind, name) for item in offered if isinstance(item, dict)):
            found.append(upstream)
    if len(found) != 1:
        raise InputError(f"{len(found)} servers offer the {kind} `{name[:200]}`", hint="reach the server by itself")
    return found[0]


def _named(message: Envelope) -> tuple[str, str]:
    params = message.params
    if message.method == "prompts/get":
        return "prompt", methods.text(params, "name")
    if message.method in ("resources/read", "resources/subscribe"):
        return "resource", methods.text(params, "uri")
    reference = params.get("ref")
    if isinstance(reference, dict):
        return (
            ("prompt", methods.text(reference, "name"))
            if reference.get("type") == "ref/prompt"
            else ("resource", methods.text(reference, "uri"))
        )
    raise InputError(f"`{message.method}` names no server where several are behind one endpoint")


def _fits(item: Mapping[str, Any], kind: str, name: str) -> bool:
    if kind == "prompt":
        return item.get("name") == name
    template = item.get("uriTemplate")
    if isinstance(template, str):
        return template == name or name.startswith(template.partition("{")[0] or "\0")
    return item.get("uri") == name
