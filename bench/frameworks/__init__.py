"""Agents of every framework with scripted models, driven through their adapters in front of a real authority.

``world`` has the authority, the tools and what is permitted; ``cases`` what is tried. Each other module drives one
framework and is imported in that framework's environment only (``scripts/adapter-env``). The adapters' tests and
``bench/adapters.py`` share them.
"""
