"""The record model: what a body of each kind holds. ``schema/record.json`` is generated from here.

Every member is always present; what is not known is null, never absent by accident. Bodies are written by
``encoding.canonical`` and sealed; the statement beside them is public.
"""

from .bodies import MODEL, SERVICE_MEMBERS
from .common import Common
from .kinds import CAPTURED_KINDS, ITEM_KINDS, SERVICE_KINDS, Kind

__all__ = ["CAPTURED_KINDS", "ITEM_KINDS", "MODEL", "SERVICE_KINDS", "SERVICE_MEMBERS", "Common", "Kind"]
