"""Who may read which evidence: Cedar policies over readers, roles and parts of records. Pure.

``ReadingPoint`` is the way in. The policies that hold without others are ``default.cedar`` beside this file.
"""

from .matter import EVERYTHING, FOREVER_MS, READING_OPERATIONS, ROLES, Box, Part, Reading, Sight
from .point import ReadingPoint

__all__ = [
    "EVERYTHING",
    "FOREVER_MS",
    "READING_OPERATIONS",
    "ROLES",
    "Box",
    "Part",
    "Reading",
    "ReadingPoint",
    "Sight",
]
