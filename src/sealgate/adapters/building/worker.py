"""The process that builds a log's files: reads durable statements, stages and writes what they make.

Started as ``python -m sealgate.adapters.building.worker FD LIFELINE`` with one end of a socket pair and of a pipe.

It holds no key and signs nothing. While it runs it keeps a descriptor of the journal's lock, so that no other authority
can begin to mend files that this one is still writing.
"""

import socket
import sys
from pathlib import Path

from sealgate.adapters.building import messages
from sealgate.adapters.building.messages import Begin, Done, Failed, Settle, Stage, Write
from sealgate.adapters.children import frames
from sealgate.adapters.children.priority import give_way
from sealgate.adapters.children.signals import leave_to_asker
from sealgate.adapters.children.waiting import end_with
from sealgate.adapters.journals.following import FollowedSegments
from sealgate.adapters.stores.directory import DirectoryLog, DirectoryStaging
from sealgate.ledger.building import FileBuilder
from sealgate.ledger.recovery import edge
from sealgate.model.errors import SealgateError, UnavailableError
from sealgate.ports.building import Staged


class Worker:
    """Does one message after the other."""

    def __init__(self) -> None:
        self._builder: FileBuilder | None = None

    def answer(self, message: messages.Request) -> messages.Answer:
        """Do what is asked, and tell how it went. After an error only Begin is taken."""
        try:
            return Done(self._do(message))
        except (SealgateError, OSError) as error:
            self._builder = None
            if not isinstance(error, SealgateError):
                error = UnavailableError(f"the log's files cannot be built: {error}")
            return Failed(type(error).__name__, error.message, error.hint)

    def _do(self, message: messages.Request) -> Staged | None:
        if isinstance(message, Begin):
            self._builder = _begin(message)
            return None
        builder = self._builder
        if builder is None:
            raise UnavailableError("nothing was begun")
        if isinstance(message, Stage):
            return builder.stage(message.stop)
        if isinstance(message, Write):
            builder.write()
        elif isinstance(message, Settle):
            builder.settle(message.size)
        else:
            builder.tidy()
        return None


def _begin(message: Begin) -> FileBuilder:
    statements = FollowedSegments(Path(message.journal), message.origin).statements
    public = DirectoryLog(Path(message.public))
    sequencer = edge(statements, public, message.size, message.root)
    return FileBuilder(statements, public, DirectoryStaging(Path(message.staging)), sequencer)


def serve(connection: socket.socket) -> None:
    """Answer until the other side closes."""
    worker = Worker()
    stream = connection.makefile("rb")
    while (payload := frames.read(stream)) is not None:
        answer = worker.answer(messages.decode_request(payload))
        connection.sendall(frames.frame(messages.encode(answer)))


if __name__ == "__main__":
    leave_to_asker()
    give_way()
    end_with(int(sys.argv[2]))
    serve(socket.socket(fileno=int(sys.argv[1])))
