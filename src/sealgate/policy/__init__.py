"""Policy: what may an agent do. Pure: no I/O, no clock, no randomness.

``DecisionPoint`` is the way in; ``LimitLedger`` keeps count for it.
"""

from .decision_point import DecisionPoint
from .limits import Claim, Exceeded, LimitLedger
from .obligations import Obligation
from .verdicts import PolicyRequest, PolicyVerdict

__all__ = ["Claim", "DecisionPoint", "Exceeded", "LimitLedger", "Obligation", "PolicyRequest", "PolicyVerdict"]
