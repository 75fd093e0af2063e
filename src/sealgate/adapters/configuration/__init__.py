"""One configuration for server and command line: one TOML file, then environment, then flags; all of it documented."""

from sealgate.adapters.configuration.field_policy import load_policy
from sealgate.adapters.configuration.loading import find, load, parse
from sealgate.adapters.configuration.sections.callers import IdentityEntry
from sealgate.adapters.configuration.sections.ledger import WitnessEntry
from sealgate.adapters.configuration.settings import Configuration

__all__ = ["Configuration", "IdentityEntry", "WitnessEntry", "find", "load", "load_policy", "parse"]
