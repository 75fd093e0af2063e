"""Demonstrations with real parts: ``mcp``, MCP servers behind the gateway; ``agentdojo``, AgentDojo's suites.

What both use is here: an ``authority`` in a process of its own, ``evidence`` and its verifier, the ``report``.
"""
