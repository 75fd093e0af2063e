"""The members of the log's first record, as the root key endorsed them at ``sealgate init``: ``keys/genesis.json``.

The first start records them as they stand in the file, and no verifier accepts a log that begins with others.
"""

from typing import Final

from sealgate.adapters.configuration.settings import Configuration
from sealgate.adapters.keys.keyring import GENESIS, Keyring
from sealgate.adapters.keys.rotation import TRUST_FILE
from sealgate.authority.key_events import Members
from sealgate.encoding import canonical
from sealgate.model.errors import ConfigurationError, EncodingError, EvidenceError, InputError
from sealgate.proofs import trust
from sealgate.proofs.key_events import KeyHistory, endorsed_bytes
from sealgate.proofs.trust import Trust

_SIGNATURE: Final = "root_signature"
_HINT: Final = "restore it and `trust.json` from one copy of what `sealgate init` made"


def endorsed(ring: Keyring, configuration: Configuration) -> Members:
    """Return the members in the file, once the root key that the trust file names turned out to endorse all of them.

    Raises:
        ConfigurationError: one of the files is missing or malformed, or the root key did not endorse these members.
    """
    path, known = ring.directory / GENESIS, known_keys(configuration)
    try:
        members = ring.genesis()
        KeyHistory.from_genesis(members, root_key=known.root_key, origin=configuration.authority.origin)
        more = sorted(members.keys() - claims(members).keys())
    except (EvidenceError, InputError) as error:
        message = f"`{path}` is not what the root key endorsed: {error.message}"
        raise ConfigurationError(message, hint=_HINT) from error
    if more:
        raise ConfigurationError(f"`{path}` has a member `{more[0][:64]}` that nobody endorsed", hint=_HINT)
    return members


def known_keys(configuration: Configuration) -> Trust:
    """Return the keys that the authority's own trust file names. Raises ConfigurationError as ``endorsed``."""
    trust_file = configuration.data_directory / TRUST_FILE
    try:
        return trust.parse(trust_file.read_bytes())
    except OSError as error:
        message = f"`{trust_file}` cannot be read: {error.strerror}"
        raise ConfigurationError(message, hint="restore it from a copy: it names public keys only") from error
    except EncodingError as error:
        raise ConfigurationError(f"`{trust_file}` is malformed: {error.message}", hint="restore it") from error


def claims(record: Members) -> Members:
    """Return what the root key signed of a first record, with its signature.

    Raises:
        EncodingError: not a key event, or a claim is missing.
    """
    signed = canonical.decode(endorsed_bytes(record))
    return {**(signed if isinstance(signed, dict) else {}), _SIGNATURE: record.get(_SIGNATURE)}
