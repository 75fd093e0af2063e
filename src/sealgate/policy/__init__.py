"""Policy: what may an agent do. Pure: no I/O, no clock, no randomness.

``DecisionPoint`` is the way in; ``LimitLedger`` keeps count for it.
"""

from .decision_point import DecisionPoint, PolicyRequest, PolicyVerdict
from .limits import Claim, Exceeded, LimitLedger
from .obligations import Obligation

__all__ = ["Claim", "DecisionPoint", "Exceeded", "LimitLedger", "Obligation", "PolicyRequest", "PolicyVerdict"]
