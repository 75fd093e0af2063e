"""The process that archives segments: opens, groups, compresses and seals records anew, and writes what they make.

Started as ``python -m sealgate.adapters.archiving.worker FD LIFELINE`` with one end of a socket pair and of a pipe.

It is given data keys one by one, as it meets them, and no other key. While it runs it keeps a descriptor of the
journal's lock, so that no other authority writes the file that this one is still writing.
"""

import os
import socket
import sys
from pathlib import Path

from sealgate.adapters.archiving.asking import AskedKeys, Conversation
from sealgate.adapters.archiving.messages import Archive, Done, Failed, Result
from sealgate.adapters.children.priority import give_way
from sealgate.adapters.children.secrecy import protect
from sealgate.adapters.children.signals import leave_to_asker
from sealgate.adapters.children.waiting import end_with
from sealgate.adapters.journals.archive import decode_header
from sealgate.adapters.journals.archive_writing import pack_segment, write_archive
from sealgate.adapters.journals.recovery import Segment
from sealgate.authority.archiving import Packer
from sealgate.authority.reader import Opener
from sealgate.model.errors import AlteredError, EncodingError, SealgateError, UnavailableError


def archive(work: Archive, conversation: Conversation) -> Result:
    """Do what is asked, and tell how it went."""
    try:
        _write(work, conversation)
    except OSError as error:
        return Failed(UnavailableError.__name__, f"an archive cannot be written: {error.strerror}", "", None)
    except SealgateError as error:
        index = error.index if isinstance(error, AlteredError) else None
        return Failed(type(error).__name__, error.message, error.hint, index)
    return Done()


def _write(work: Archive, conversation: Conversation) -> None:
    header = decode_header(work.header)
    if header is None:
        raise EncodingError("not the header of an archive")
    segment = Segment(Path(work.source), header.header, header.durable_bytes)
    keys = AskedKeys(conversation)
    packer = Packer(Opener(data_keys=keys, origin=work.origin), keys, os.urandom)
    blocks = pack_segment(work.origin, segment, header.header.first_index + header.records, packer)
    write_archive(Path(work.target), header, conversation.telling(blocks))


def serve(connection: socket.socket) -> None:
    """Archive one segment after the other until the other side closes."""
    conversation = Conversation(connection)
    while isinstance(work := conversation.hear(), Archive):
        conversation.say(archive(work, conversation))


if __name__ == "__main__":
    leave_to_asker()
    give_way()
    protect()
    end_with(int(sys.argv[2]))
    serve(socket.socket(fileno=int(sys.argv[1])))
