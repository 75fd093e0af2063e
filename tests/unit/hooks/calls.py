"""A host's event for tests, with any members added."""

import json

from sealgate.hooks import canaries


def event(host, tool, arguments, **members):
    """Return the bytes that the host would send from the folder /w."""
    return json.dumps({**json.loads(canaries.event(host, tool, arguments, folder="/w")), **members}).encode()
