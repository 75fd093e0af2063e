"""Proofs over the log: trees, tiles, notes, checkpoints, cosignatures, receipts, and what a verifier trusts.

Formats: RFC 6962/9162 trees; C2SP tlog-tiles, signed-note, tlog-checkpoint, tlog-cosignature, tlog-proof; RFC 9942/9943
COSE receipts. Every parser refuses what the format does not allow and never repairs. Pure: bytes come in, verified
values go out or one of ``model.errors`` is raised; private keys, clocks and files are the caller's.
"""
