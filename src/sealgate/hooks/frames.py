r"""What the hook program and the daemon say to each other: one question, one answer, one connection. Pure.

::

    SG1 <nonce> <phase> <host> <length>\n <the host's input>
    SG1 <nonce> <exit status> <stdout length> <stderr length>\n <stdout> <stderr> \nend <nonce>

The answer names the nonce at its beginning and at its end, so that a cut answer, an old one or one to somebody else is
none.
"""

from dataclasses import dataclass
from typing import Final

from sealgate.hooks.outputs import Output
from sealgate.model.errors import InputError

MAX_INPUT_BYTES: Final = 8 * 1024 * 1024
"""One event of a host, in bytes; an edit carries the whole text that it writes. ``program.MAX_INPUT`` is the same."""

MAX_HEAD_BYTES: Final = 128


@dataclass(frozen=True, slots=True)
class Head:
    """The first line of a question."""

    nonce: str
    phase: str
    host: str
    length: int


def read_head(line: bytes) -> Head:
    """Return the head of a question; InputError when it is none."""
    words = line.decode("ascii", "replace").split(" ")
    if len(words) != 5 or words[0] != "SG1" or not words[4].isdigit() or len(words[1]) != 16:
        raise InputError("the question is unreadable")
    length = int(words[4])
    if length > MAX_INPUT_BYTES:
        raise InputError("the question is too large")
    return Head(words[1], words[2], words[3], length)


def question(nonce: str, phase: str, host: str, data: bytes) -> bytes:
    """Return the bytes of a question."""
    return f"SG1 {nonce} {phase} {host} {len(data)}\n".encode() + data


def answer(nonce: str, output: Output) -> bytes:
    """Return the bytes of an answer."""
    head = f"SG1 {nonce} {output.status} {len(output.stdout)} {len(output.stderr)}\n"
    return head.encode() + output.stdout + output.stderr + f"\nend {nonce}".encode()
