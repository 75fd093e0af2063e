"""From the configuration to retention classes."""

from sealgate.adapters.configuration import profiles
from sealgate.adapters.configuration.sections.records import RetentionClassEntry
from sealgate.adapters.configuration.settings import Configuration
from sealgate.model.scopes import Period
from sealgate.retention.classes import Classes, Rule
from sealgate.retention.terms import Terms


def classes_of(configuration: Configuration) -> Classes:
    """Return the classes of profiles and ``[[retention_class]]`` together; an own one replaces a profile's.

    Raises:
        ConfigurationError: a name is used twice or cannot be one.
    """
    own = [_rule(entry) for entry in configuration.retention_class]
    names = {rule.name for rule in own}
    ready = [rule for rule in profiles.rules(configuration.retention.profiles) if rule.name not in names]
    return Classes([*ready, *own], default=configuration.records.retention_class)


def _rule(entry: RetentionClassEntry) -> Rule:
    return Rule(
        entry.name,
        Terms(entry.minimum_days, entry.maximum_days, entry.receipt_days),
        data=entry.data,
        regimes=entry.regimes,
        jurisdictions=entry.jurisdictions,
        kinds=entry.kinds,
        agents=entry.agents,
        tools=entry.tools,
    )


def period_of(classes: Classes, name: str) -> Period:
    """Return how long a data key of this class takes new bodies."""
    return Period.for_maximum(classes.effective(name).body)
