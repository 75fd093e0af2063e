"""``make demo``: real MCP servers behind the real gateway, a scripted agent, an attack, an approval, a stop.

Nothing is staged: the servers are the published ones (git, filesystem, time), the files and commits are real, and each
line of the report was checked against them. ``python -m sealgate.demo --help`` says how to run it.
"""
