"""``python -m bench NAME [--seconds N] [--full] [--json]``: one benchmark or ``all``; exit 1 where a bar is missed."""

import argparse
import importlib
import json
import sys

from bench.harness import Options, Result

NAMES = (
    "decide",
    "policy",
    "append",
    "verify",
    "cedar",
    "tamper",
    "crash",
    "agentdojo",
    "vectors",
    "server",
    "ingest",
    "otel",
    "loss",
    "erase",
    "redact",
    "secrets",
    "at_rest",
    "retention",
    "reconstruct",
    "mcp",
    "identity",
    "permits",
    "pause",
    "hooks",
    "adapters",
    "suggest",
)
"""Each is a module of this package with ``run(options) -> Result``."""


def main() -> int:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", choices=(*NAMES, "all"))
    parser.add_argument("--seconds", type=float, default=20.0, help="bound on the measured part of one benchmark")
    parser.add_argument("--full", action="store_true", help="take what it needs")
    parser.add_argument("--json", action="store_true", help="print only the JSON lines")
    arguments = parser.parse_args()
    options = Options(seconds=arguments.seconds, full=arguments.full)
    names = NAMES if arguments.name == "all" else (arguments.name,)
    missed = False
    for name in names:
        result: Result = importlib.import_module(f"bench.{name}").run(options)
        if not arguments.json:
            _print_table(result)
        print(json.dumps(result.as_json()), flush=True)
        missed = missed or bool(result.missed)
    return 1 if missed else 0


def _print_table(result: Result) -> None:
    print(f"\n{result.name}: {result.measured_on} ({result.runs} runs)")
    for key, value in result.figures.items():
        print(f"  {key:<34} {value}")
    for bar in result.missed:
        print(f"  MISSED {bar}")


if __name__ == "__main__":
    sys.exit(main())
