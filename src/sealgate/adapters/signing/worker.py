"""The signing process: is handed one secret key, signs what it is asked to, ends with its asker.

Started as ``python -m sealgate.adapters.signing.worker FD`` with one end of a socket pair.

It opens no file, writes nothing, and holds no other key: a new one takes the place of the former.
"""

import socket
import sys

from sealgate.adapters.children import frames
from sealgate.adapters.children.secrecy import protect
from sealgate.adapters.children.signals import leave_to_asker
from sealgate.adapters.keys import sodium
from sealgate.adapters.signing import messages


def serve(connection: socket.socket) -> None:
    """Answer until the other side closes."""
    secret = b""
    stream = connection.makefile("rb", buffering=1 << 18)
    while (message := frames.read(stream)) is not None:
        if messages.is_key(message):
            number, secret, challenge = messages.read_key(message)
            inputs = [challenge]
        else:
            number, inputs = messages.read_group(message)
        del message
        signatures = [sodium.sign(one, secret) for one in inputs]
        connection.sendall(frames.frame(messages.answer(number, signatures)))


if __name__ == "__main__":
    leave_to_asker()
    protect()
    serve(socket.socket(fileno=int(sys.argv[1])))
