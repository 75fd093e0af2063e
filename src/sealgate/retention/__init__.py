"""How long what is kept, and for whom it is held. Pure: classes, terms, holds and the plan of what expires.

Nothing here deletes. ``authority.retention`` asks for a plan, records it, and only then carries it out.
"""
