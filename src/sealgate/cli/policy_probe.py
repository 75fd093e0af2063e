"""Loads a bundle from standard input in a process of its own, so that nothing in it can hurt the caller.

Prints one JSON object. A crash of the policy engine shows as death by a signal.
"""

import sys

import orjson

from sealgate.model.errors import SealgateError
from sealgate.policy import DecisionPoint


def main() -> int:
    """Load the bundle; exit 0 whether or not it is good, because both are answers."""
    try:
        point = DecisionPoint.from_bundle(sys.stdin.buffer.read())
    except SealgateError as error:
        answer = {"ok": False, "error": error.message, "hint": error.hint}
    else:
        answer = {
            "ok": True,
            "version": point.version,
            "policies": len(point.policies),
            "tools": len(point.tools),
            "limits": len(point.limits),
            "entities": sum(1 for _ in point.entities),
        }
    sys.stdout.write(orjson.dumps(answer).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
