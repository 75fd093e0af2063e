"""RFC 3161 timestamps, as the verifier checks them; see ``proofs.timestamps``."""

from ..proofs.timestamps import parse_response, verify_timestamp

__all__ = ["parse_response", "verify_timestamp"]
