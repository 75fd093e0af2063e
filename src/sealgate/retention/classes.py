"""Retention classes: which rules govern a record, by its data, regime, jurisdiction, agent, tool and kind.

A record's class is the names of all rules that govern it, joined by ``+`` and sorted, and is written into its body. So
the terms of a record can be told from the record and the rules of today, also years later.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from sealgate.model.errors import ConfigurationError
from sealgate.model.records import Kind
from sealgate.retention.terms import KEEP, Effective, Terms, combine

JOINER: Final = "+"
MAX_CLASS_CHARACTERS: Final = 200

LEDGER: Final = "ledger"
"""The class of records that prove or decide something as long as the log lives; none of its bodies expires."""

LEDGER_KINDS: Final = frozenset(
    {
        Kind.GENESIS,
        Kind.SHARD_CLOSE,
        Kind.KEY_ADDED,
        Kind.KEY_RETIRED,
        Kind.KEY_REVOKED,
        Kind.POLICY_PUBLISHED,
        Kind.CONTAINMENT_APPLIED,
        Kind.CONTAINMENT_LIFTED,
        Kind.CAPTURE_GAP,
        Kind.ERASURE_REQUESTED,
        Kind.ERASURE_EXECUTED,
        Kind.ERASURE_REFUSED,
        Kind.RETENTION_EXPIRED,
        Kind.HOLD_PLACED,
        Kind.HOLD_RELEASED,
        Kind.PACKAGE_VERIFIED,
        Kind.PACKAGE_INSTALLED,
        Kind.TRUST_SCORED,
    }
)
"""Kinds that verification or the authority's own restart needs: keys, excuses, policy, pauses, holds."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a record when its class is chosen."""

    kind: str
    data: str | None = None
    regime: str | None = None
    jurisdiction: str | None = None
    agent: str | None = None
    tool: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One named class: its terms, and which records it governs. An empty condition governs all; ``*`` is a wildcard."""

    name: str
    terms: Terms
    data: tuple[str, ...] = ()
    regimes: tuple[str, ...] = ()
    jurisdictions: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()

    def governs(self, facts: Facts) -> bool:
        """Tell whether every condition that is set holds."""
        return (
            _fits(self.kinds, facts.kind)
            and _fits(self.data, facts.data)
            and _fits(self.regimes, facts.regime)
            and _fits(self.jurisdictions, facts.jurisdiction)
            and _fits(self.agents, facts.agent)
            and _fits(self.tools, facts.tool)
        )


def _fits(patterns: tuple[str, ...], value: str | None) -> bool:
    return not patterns or (value is not None and any(fnmatchcase(value, pattern) for pattern in patterns))


class Classes:
    """All rules of one installation.

    ``default`` names the class of what no rule governs; without a rule of that name it is kept for ever.
    """

    def __init__(self, rules: Iterable[Rule], *, default: str = "default") -> None:
        self.default = default
        self._rules: dict[str, Rule] = {}
        self._effective: dict[str, Effective] = {LEDGER: KEEP}
        for rule in rules:
            if rule.name in self._rules or rule.name == LEDGER:
                raise ConfigurationError(f"retention class `{rule.name}` is defined twice", hint="give each one name")
            if JOINER in rule.name or not rule.name:
                raise ConfigurationError(f"retention class `{rule.name}` cannot be a name", hint=f"without `{JOINER}`")
            self._rules[rule.name] = rule

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, in the order of the configuration."""
        return tuple(self._rules.values())

    def classify(self, facts: Facts) -> str:
        """Return the class of a record: the names of all rules with conditions that govern it, or the default."""
        if facts.kind in LEDGER_KINDS:
            return LEDGER
        names = sorted(rule.name for rule in self._rules.values() if rule.name != self.default and rule.governs(facts))
        return JOINER.join(names) or self.default

    def effective(self, name: str) -> Effective:
        """Return when the layers of a class expire. A class with an unknown part is kept: nothing goes by guessing."""
        known = self._effective.get(name)
        if known is None:
            parts = [self._rules.get(part) for part in name.split(JOINER)]
            rules = [rule.terms for rule in parts if rule is not None]
            known = combine(rules) if len(rules) == len(parts) else KEEP
            if len(self._effective) < 10_000:
                self._effective[name] = known
        return known

    def knows(self, name: str) -> bool:
        """Tell whether every part of a class's name is a rule."""
        return name == LEDGER or all(part in self._rules for part in name.split(JOINER))


def rule_of(entry: Mapping[str, Any]) -> Rule:
    """Return the rule of one entry of the data file or the configuration; keys as in ``Rule`` and ``Terms``."""
    terms = Terms(entry.get("minimum_days") or 0, entry.get("maximum_days"), entry.get("receipt_days"))
    names = ("data", "regimes", "jurisdictions", "kinds", "agents", "tools")
    return Rule(entry["name"], terms, **{name: tuple(entry.get(name, ())) for name in names})
