"""Reading evidence: who may, how much of it, and the record of it that is durable before the answer leaves.

``Desk`` is the way in. It judges with the reading policies, asks the evidence store in a thread, hides what the reader
may not see, has the read recorded by the authority, and only then answers.
"""

from .desk import Bounds, Desk

__all__ = ["Bounds", "Desk"]
