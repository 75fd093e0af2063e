"""From the configuration to retention classes."""

from dataclasses import asdict

from sealgate.adapters.configuration import profiles
from sealgate.adapters.configuration.settings import Configuration
from sealgate.model.scopes import Period
from sealgate.retention.classes import Classes, rule_of


def classes_of(configuration: Configuration) -> Classes:
    """Return the classes of profiles and ``[[retention_class]]`` together; an own one replaces a profile's.

    Raises:
        ConfigurationError: a name is used twice or cannot be one.
    """
    own = [rule_of(asdict(entry)) for entry in configuration.retention_class]
    names = {rule.name for rule in own}
    ready = [rule for rule in profiles.rules(configuration.retention.profiles) if rule.name not in names]
    return Classes([*ready, *own], default=configuration.records.retention_class)


def period_of(classes: Classes, name: str) -> Period:
    """Return how long a data key of this class takes new bodies."""
    return Period.for_maximum(classes.effective(name).body)
