"""Adapters: the gate inside of agent frameworks, one small module each.

``core`` (one gate for all) ← ``verdicts`` (what it answers), ``narrowing`` (duties that change arguments), ``versions``
(which releases are known), ``coverage`` (what each adapter covers and refuses). Each framework's module imports its
framework and nothing of the others; ``autoload`` installs what is importable. Nothing here imports the server.
"""
