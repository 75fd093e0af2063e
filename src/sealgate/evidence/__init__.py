"""The evidence service: a searchable projection of the journal, and the questions it answers.

It follows the journal, never writes to it, and holds reading keys only. All it keeps can be rebuilt from the journal
and compared (``rebuild``).
"""
