"""Loading a bundle: its tools, and its policies held against the schema that follows from them."""

from collections.abc import Mapping
from typing import Any

import cedarpy

from sealgate.encoding import canonical
from sealgate.model.errors import InputError

from .bundle import MAX_BUNDLE_DEPTH, Bundle
from .policy_set import Policy
from .tools import Tool, read_tool


def read_tools(bundle: Bundle) -> tuple[dict[str, Tool], dict[str, str]]:
    """Return the tools of a bundle by name, and the SHA-256 of each one's definition in hex.

    Raises:
        InputError: a definition cannot be read, or two servers offer tools of one name.
    """
    tools: dict[str, Tool] = {}
    digests: dict[str, str] = {}
    for server, definition in bundle.tools:
        tool = read_tool(definition, server)
        if tool.name in tools:
            raise InputError(
                f"tool `{tool.name}` is offered by `{tools[tool.name].server}` and `{server}`",
                hint="rename one, for example `<server>___<tool>`",
            )
        tools[tool.name] = tool
        digests[tool.name] = canonical.sha256(canonical.encode_arguments(definition, max_depth=MAX_BUNDLE_DEPTH)).hex()
    return tools, digests


def require_valid(policies: Mapping[str, Policy], schema: Any) -> None:
    """Refuse policies that the schema does not allow.

    Raises:
        InputError: names the first one, with its place.
    """
    order = [policy for policy in policies.values() if not policy.is_template]
    for policy in policies.values():
        if policy.is_template:
            raise InputError(
                f"{policy.source}, line {policy.line}: template `{policy.id}` has no link",
                hint="write the entity into the policy",
            )
    text = "\n".join(policy.text for policy in order)
    try:
        result = cedarpy.validate_policies(text, schema)
    except ValueError as error:
        raise InputError(f"policies do not validate: {str(error).splitlines()[0]:.300}") from error
    if result.validation_passed:
        return
    first = result.errors[0]
    number = first.policy_id.removeprefix("policy")
    where = "policies"
    if number.isdigit() and int(number) < len(order):
        policy = order[int(number)]
        where = f"{policy.source}, line {policy.line} (`{policy.id}`)"
    raise InputError(f"{where}: {first.error.splitlines()[0]:.300}", hint="a rule that cannot match does not load")
