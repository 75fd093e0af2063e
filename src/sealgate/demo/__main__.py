"""``python -m sealgate.demo``: MCP servers behind the gate; with ``agentdojo`` first, AgentDojo's suites instead."""

import sys


def main() -> int:
    """Run the demo that is asked for; each imports only what it needs."""
    if sys.argv[1:2] == ["agentdojo"]:
        from sealgate.demo.agentdojo.command import main as agentdojo  # noqa: PLC0415

        return agentdojo(sys.argv[2:])
    from sealgate.demo.mcp.command import main as mcp  # noqa: PLC0415

    return mcp(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
