"""The certificate of an erasure: the signed record that it was executed, for programs and for people.

The JSON carries the exact body of the ``erasure.executed`` record and its receipt; whoever has ``trust.json`` checks it
without us. It names tokens and key ids, nothing personal.
"""

import base64
import binascii
import json
from typing import Any, Final

from sealgate.encoding import canonical
from sealgate.model.errors import EncodingError, InputError
from sealgate.verifier.receipt import Extras, verify_receipt
from sealgate.verifier.report import Report

FORMAT: Final = "sealgate-erasure-certificate/v1"


def make(receipt: dict[str, Any]) -> bytes:
    """Return the certificate of a receipt as the authority answers it.

    Raises:
        InputError: it is not the receipt of an executed erasure, or its body cannot be read here.
    """
    body = receipt["body"]
    if body is None or json.loads(body).get("kind") != "erasure.executed":
        raise InputError("the record is no executed erasure", hint="`sealgate subject status` names its record")
    value = {"format": FORMAT, "body": body, "statement": receipt["statement"], "proof": receipt["tlog_proof"]}
    return json.dumps(value, indent=1, sort_keys=True).encode() + b"\n"


def read(certificate: bytes) -> tuple[dict[str, Any], bytes, bytes]:
    """Return (facts, body, receipt) of a certificate; nothing is proved yet.

    Raises:
        InputError: it is not a certificate.
    """
    try:
        match canonical.parse(certificate, max_bytes=1 << 20):
            case {
                "format": "sealgate-erasure-certificate/v1",
                "body": str() as body,
                "statement": str() as text,
                **more,
            }:
                proof = more.get("proof")
                signed = proof.encode() if isinstance(proof, str) else base64.b64decode(text, validate=True)
                facts = canonical.decode(body.encode())
                if isinstance(facts, dict) and facts.get("kind") == "erasure.executed":
                    return facts, body.encode(), signed
    except (EncodingError, binascii.Error, ValueError):
        pass  # said below
    raise InputError("this is no certificate of erasure", hint="`sealgate subject certificate` writes one")


def verify(certificate: bytes, trust: bytes) -> Report:
    """Check a certificate against the keys that the user trusts. Raises InputError when it is none."""
    _, body, signed = read(certificate)
    return verify_receipt(signed, trust, Extras(body=body))


def text(certificate: bytes) -> str:
    """Return the certificate in words."""
    facts = read(certificate)[0]
    keys = "\n".join(f"  {key}" for key in facts["key_ids"])
    vault = "was erased from the vault" if facts["vault"] == "erased" else "was not in a vault"
    return f"""\
CERTIFICATE OF ERASURE

Subject             {facts["subject"]} ({vault})
Erasure             {facts["erasure_id"]}
Executed            {facts["time"]} by {facts["agent"]["principal"]}
Basis               {facts["basis"]}
Complete after      {facts["complete_after"]}, when the last backup of the keys has expired
Records             {facts["records"]} between {facts["from_index"]} and {facts["to_index"]} can be read no more
Digest of indexes   {facts["index_digest"]}
Data keys destroyed {facts["keys"]}
{keys}

What remains: position, time and signature of each record, digests that commit to what nobody can read any more, and
this record ({facts["record_id"]}). This supports a claim of erasure; whether it suffices, counsel decides.
Check it with: sealgate subject verify-certificate FILE --trust trust.json
"""
