"""Who may approve in which role, as the configuration says it."""

from sealgate.adapters.configuration.settings import Configuration


def approver_roles(configuration: Configuration) -> dict[str, frozenset[str]]:
    """Return which roles of policies each person may fill, by the name that records give."""
    found: dict[str, frozenset[str]] = {entry.name: frozenset(entry.approver_roles) for entry in configuration.identity}
    for entry in configuration.approver:
        found[entry.principal] = found.get(entry.principal, frozenset()) | frozenset(entry.roles)
    return {name: roles for name, roles in found.items() if roles}
