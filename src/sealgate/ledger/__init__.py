"""From durable records to a log that anyone can check: tiles, signed checkpoints, proofs.

The journal has fixed the order; this package follows it in batches. ``sequencer`` turns statements into tiles in
memory, ``staging`` writes one batch down before it is signed, ``recovery`` applies committed batches and decides at the
start whether what lies on disk is one history, ``log`` is the whole as the authority sees it. ``reading`` makes proofs
from public files, ``fsck`` re-verifies everything from public files only, ``rebuilding`` makes lost public files anew,
``export`` copies a range out, ``shards`` closes a log and names its successor.
"""
