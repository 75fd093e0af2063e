"""Where keys are."""

# ruff: noqa: RUF009  # the calls in class bodies make dataclass fields, which are no shared state

from dataclasses import dataclass
from pathlib import Path

from sealgate.adapters.configuration.setting import optional


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Where the signing and wrapping keys are."""

    store: str = optional("file", "Encrypted files, or a PKCS#11 device.", choices=("file", "pkcs11"))
    directory: Path = optional(Path("keys"), "The folder of key files; relative to the data directory.")
    passphrase: str = optional(
        "file:keys/unlock",
        "Where the passphrase of the key files is: `file:`, `credential:`, `command:`; relative to the data directory.",
    )
    reading_passphrase: str = optional(
        "",
        "Where the passphrase of the key-encryption key alone is, for who only reads; empty: `keys/reading-unlock` "
        "where it exists, else that of the other key files.",
    )
    wrapping: str = optional(
        "store",
        "Where the key-encryption key is: with the signing keys (`store`), or elsewhere than they are.",
        choices=("store", "file", "pkcs11", "kms"),
    )
    kms_key: str = optional("", "The AWS KMS key that wraps data keys: id, ARN or `alias/…`.")
    kms_region: str = optional("", "The region of the KMS key; empty: as the AWS environment says.")
    backup_days: int = optional(
        30,
        "How long a backup of the data keys is kept at most: an erasure is complete after this.",
        "days",
        least=0,
        most=366,
    )
    kms_endpoint: str = optional("", "Another address of KMS than the region's, e.g. of a private endpoint.")
    device_environment: tuple[str, ...] = optional(
        ("SOFTHSM2_CONF",),
        "Variables that the device's library or the client of KMS reads: the evidence service, which opens the "
        "key-encryption key as well, is given these of the authority's environment.",
    )
    pkcs11_module: Path = optional(Path(), "The device's library, e.g. `/usr/lib/softhsm/libsofthsm2.so`.")
    pkcs11_token: str = optional("", "The token's label.")
    pkcs11_pin: str = optional("", "Where the user PIN is: `file:`, `credential:` or `command:`.")
    pkcs11_wrapping_token: str = optional(
        "",
        "The label of another token for the key-encryption key, so that a reader cannot sign; empty: the same.",
    )
    pkcs11_wrapping_pin: str = optional("", "Where the user PIN of that token is.")
    pkcs11_statement_label: str = optional("sealgate-statement", "The label of the Ed25519 statement key on the token.")
    pkcs11_log_label: str = optional("sealgate-log", "The label of the Ed25519 log key on the token.")
    pkcs11_receipt_label: str = optional("sealgate-receipt", "The label of the Ed25519 receipt key on the token.")
    pkcs11_wrapping_label: str = optional(
        "sealgate-wrapping", "The label of the AES-256 key-encryption key on the token."
    )
