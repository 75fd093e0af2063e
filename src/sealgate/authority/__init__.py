"""The authority: decides, records, hands out permits, contains. It holds the signing key and runs no queries.

``recorder`` turns what happened into one durable, signed, sealed record; ``permits`` keeps what is open; ``gate`` is
the path of one decision; ``replay`` rebuilds all of it from the journal; ``service`` is what the server talks to,
put together from ``parts``; ``resumption``, ``housekeeping`` and ``snapshots`` are its life.
Everything runs on one event loop; the journal and the ledger have threads of their own.
"""
