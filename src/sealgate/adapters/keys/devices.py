"""Where keys are that are no files: a PKCS#11 token, AWS KMS. Their clients are imported only when asked for."""

import dataclasses
from pathlib import Path

from sealgate.adapters.configuration.sections.keys import Keys
from sealgate.adapters.keys import passphrase
from sealgate.model.errors import ConfigurationError
from sealgate.ports.signer import Signer
from sealgate.ports.wrapping import WrappingKey


def wrapping_token(keys: Keys) -> Keys:
    """Return the settings under which the token with the key-encryption key is the token."""
    if not keys.pkcs11_wrapping_token:
        return keys
    return dataclasses.replace(keys, pkcs11_token=keys.pkcs11_wrapping_token, pkcs11_pin=keys.pkcs11_wrapping_pin)


class Device:
    """The token of the configuration; its Python binding is imported only here, because it is an extra."""

    def __init__(self, keys: Keys, data_directory: Path) -> None:
        try:
            from sealgate.adapters.keys import pkcs11  # noqa: PLC0415  # an optional dependency
        except ImportError as error:
            hint = "install sealgate[server,pkcs11]"
            raise ConfigurationError("`keys.store` is `pkcs11`, which needs python-pkcs11", hint=hint) from error
        self._pkcs11 = pkcs11
        pin = passphrase.read(keys.pkcs11_pin, base=data_directory)
        self._token = pkcs11.Token(keys.pkcs11_module, keys.pkcs11_token, pin)

    def signer(self, label: str) -> Signer:
        """Return the signer of a label."""
        return self._pkcs11.Pkcs11Signer(self._token, label)

    def wrapping_key(self, label: str) -> WrappingKey:
        """Return the key-encryption key of a label."""
        return self._pkcs11.Pkcs11WrappingKey(self._token, label)


def kms_key(keys: Keys, origin: str) -> WrappingKey:
    """Return the key-encryption key of AWS KMS; its client is imported only here, because it is an extra.

    Raises:
        ConfigurationError: the client is not installed.
        UnavailableError: the AWS environment names no region or credentials that can be read.
    """
    try:
        from sealgate.adapters.keys.kms import KmsWrappingKey  # noqa: PLC0415  # an optional dependency
    except ImportError as error:
        hint = "install sealgate[server,kms]"
        raise ConfigurationError("`keys.wrapping` is `kms`, which needs boto3", hint=hint) from error
    return KmsWrappingKey(keys.kms_key, origin=origin, region=keys.kms_region, endpoint=keys.kms_endpoint)
