"""Hooks of coding agents: a call of theirs runs only with a permit.

Reads from the host inward: ``program`` (what the host starts for each call: tiny, imports nothing of ours) →
``daemon`` (resident, one per user) → ``frames`` (what they say to each other) → ``events`` (the host's input) →
``tools`` and ``shell`` (what it does, as structured arguments; pure) → ``judge`` (asks, through the SDK) →
``outputs`` (what that host takes for an answer; pure). Beside it: ``install`` and ``documents`` (settings files),
``doctor`` (does the installed hook block, and what escapes), ``rows`` (the failures, and what comes of each).
"""
