"""All identities that a configuration names, put together once for each process that takes callers."""

import base64
import logging
import ssl
from pathlib import Path

from sealgate.adapters.configuration.sections.callers import Callers, SpiffeEntry
from sealgate.adapters.configuration.settings import Configuration
from sealgate.adapters.identity.api_keys import ApiKeys
from sealgate.adapters.identity.federated import FederatedIdentities, TrustDomain
from sealgate.adapters.identity.resolver import ConfiguredIdentities
from sealgate.adapters.identity.trusted_keys import Renewer
from sealgate.adapters.installation import API_KEYS
from sealgate.model.errors import ConfigurationError, SealgateError

_LOG = logging.getLogger(__name__)


def identities(configuration: Configuration) -> ConfiguredIdentities:
    """Return who resolves this process's callers; keys of issuers are renewed in a thread from now on."""
    callers = Callers(configuration.identity, configuration.oidc, configuration.spiffe)
    return assembled(callers, ApiKeys(configuration.data_directory / API_KEYS), configuration.tls.client_ca)


def assembled(callers: Callers, api_keys: ApiKeys | None, client_ca: Path) -> ConfiguredIdentities:
    """Return who resolves these callers; keys of issuers are renewed in a thread from now on.

    ``client_ca`` has the authorities whose certificates `[[identity]]` may name; an empty path: there are none.
    """
    federated = None
    if callers.oidc or callers.spiffe:
        federated = FederatedIdentities(callers.oidc, callers.spiffe)
        Renewer(federated.sources).start()
    return ConfiguredIdentities(callers.identity, api_keys, federated, _own_authorities(client_ca))


def _own_authorities(file: Path) -> frozenset[bytes]:
    if file == Path():
        return frozenset()
    try:
        text = file.read_text("ascii")
        blocks = text.split("-----END CERTIFICATE-----")[:-1]
        start = "-----BEGIN CERTIFICATE-----"
        return frozenset(base64.b64decode("".join(block.partition(start)[2].split())) for block in blocks)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"`{file}` is no PEM file of certificates", hint="check `tls.client_ca`") from error


def authorities_of(entries: tuple[SpiffeEntry, ...]) -> str:
    """Return the X.509 authorities of all trust domains as their bundles have them now, PEM.

    A bundle that cannot be read brings none: its workloads then fail to connect, all others do not.
    """
    found: list[str] = []
    for name in dict.fromkeys(entry.trust_domain for entry in entries):
        domain = TrustDomain.of([entry for entry in entries if entry.trust_domain == name])
        try:
            found.extend(ssl.DER_cert_to_PEM_cert(each) for each in domain.keys.renew().authorities)
        except SealgateError as error:
            _LOG.warning("trust domain `%s` has no authorities: %s", name, error.message)
    return "".join(found)
