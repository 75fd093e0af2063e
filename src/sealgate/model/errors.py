"""Every error that crosses a module border, by whose fault it is.

::

    SealgateError
    ├── InputError            the caller sent something we refuse
    │   └── EncodingError     … bytes or values outside their strict form
    ├── NotPermittedError     the caller may not do this, or a permit does not fit
    ├── ConfigurationError    the operator has to change something
    ├── EvidenceError         evidence is broken
    │   ├── AlteredError      … bytes differ from what was sealed
    │   ├── NotProvenError    … a proof is missing or incomplete
    │   ├── ForkError         … two signed histories contradict each other
    │   └── GapError          … records are missing without an excuse
    └── UnavailableError      the disk, the clock, the key store or the authority failed; nothing ran
        ├── JournalError      … the journal cannot record
        └── BusyError         … too much is waiting; nothing was taken

Messages are one lower-case line with user input in backticks; ``hint`` says what to do about it.
"""


class SealgateError(Exception):
    """The base of all our errors; never raised itself."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InputError(SealgateError):
    """The caller sent something we refuse; the same input will be refused again."""


class EncodingError(InputError):
    """Bytes or values are outside their strict form. They are refused, never repaired."""


class NotPermittedError(SealgateError):
    """The caller may not do this. ``code`` is a stable slug for machines."""

    def __init__(self, message: str, *, code: str = "not-permitted", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class ConfigurationError(SealgateError):
    """The operator has to change a setting, a file or a mode."""


class EvidenceError(SealgateError):
    """Evidence is broken; the subclass says how."""


class AlteredError(EvidenceError):
    """Bytes differ from what was sealed. ``index`` names the first bad record where it is known."""

    def __init__(self, message: str, *, index: int | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.index = index


class NotProvenError(EvidenceError):
    """A proof is missing or incomplete, so nothing is claimed either way."""


class ForkError(EvidenceError):
    """Two signed histories of one log contradict each other."""


class GapError(EvidenceError):
    """Records are missing and no gap, erasure or expiry record excuses it."""


class UnavailableError(SealgateError):
    """Something outside failed (disk, clock, key store, network). The action did not run."""


class JournalError(UnavailableError):
    """The journal cannot record; decisions are SILENCE until it is healed."""


class BusyError(UnavailableError):
    """Too much is waiting already. Nothing was taken; the same may be sent again, more slowly."""
