"""Time from an authority outside."""

from typing import Protocol


class TimestampAuthority(Protocol):
    """Puts a time on bytes that it does not see: only their hash is sent.

    May be called from any thread; blocks for at most its configured timeout. Not retried inside: the caller comes
    again with a newer checkpoint anyway.
    """

    def timestamp(self, message: bytes) -> bytes:
        """Return the DER TimeStampResp over ``message``; it was verified before it is returned.

        Raises:
            UnavailableError: the authority cannot be reached, refused, or answered with something that does not verify.
        """
