"""The gate before MCP servers: what a client asks of a server is decided, recorded and only then forwarded.

Reads top down: ``stdio`` (one server, ``sealgate mcp wrap``) and ``endpoint`` (many, ``sealgate mcp serve``) carry
bytes; ``relay`` is what happens to one message; ``methods`` says which method is what; ``judging`` asks the authority;
``catalogue`` and ``pins`` know the tools and whether they are the ones that were approved. Messages are JSON-RPC
envelopes (``envelope``), never objects of an SDK: what an SDK does not know would be lost on the way.
"""
