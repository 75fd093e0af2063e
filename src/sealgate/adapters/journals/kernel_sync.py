"""fdatasync without a thread that waits for it: the kernel does it and tells the event loop (Linux AIO, io_submit(2)).

A sync takes a tenth of a millisecond in which nobody needs the interpreter. A thread that waits for it must give up the
interpreter's lock and get it back, and so must everybody else: a quarter of all CPU of a busy authority (ADR 0172).
Here a file's data is made durable by ``IOCB_CMD_FDSYNC``, whose end makes an eventfd readable.

There are no bindings of these four system calls in the C library; they are called by number. Where a kernel, a sandbox
or a file system has no such thing, ``create`` returns None or ``begin`` raises, and the caller syncs as ever.
"""

import asyncio
import contextlib
import ctypes
import os
import platform
import struct
import threading
from collections.abc import Callable
from typing import Final

_CALLS: Final = {"x86_64": (206, 207, 208, 209), "aarch64": (0, 1, 4, 2)}
"""Numbers of io_setup, io_destroy, io_getevents, io_submit."""

_IOCB: Final = struct.Struct("<QIIHhIQQqQII")
"""Data, key, flags, operation, priority, file, buffer, bytes, offset, reserved, flags, eventfd (linux/aio_abi.h)."""

_EVENT: Final = struct.Struct("<QQqq")
"""Data, block, result, second result."""

_FDSYNC: Final = 3
_EVENTFD: Final = 1

Done = Callable[[OSError | None], None]
"""Called once on the loop, with the error if the data is perhaps not durable."""


class KernelSync:
    """One sync at a time. Everything but ``wait`` runs on the event loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, numbers: tuple[int, int, int, int]) -> None:
        """Set up; see ``create``."""
        self._setup, self._destroy, self._getevents, self._submit = numbers
        self._call = ctypes.PyDLL(None, use_errno=True).syscall  # these never wait: the interpreter's lock is kept
        self._call.restype = ctypes.c_long
        self._blocking_call = ctypes.CDLL(None, use_errno=True).syscall
        self._blocking_call.restype = ctypes.c_long
        context = ctypes.c_ulong(0)
        self._check(self._call(self._setup, 1, ctypes.byref(context)))
        self._context = context
        self._block = ctypes.create_string_buffer(_IOCB.size)
        self._blocks = (ctypes.c_void_p * 1)(ctypes.addressof(self._block))
        self._event = ctypes.create_string_buffer(_EVENT.size)
        self._eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._done: Done | None = None
        self._taking = threading.Lock()  # the loop and ``wait`` may want the same end
        self._loop = loop
        loop.add_reader(self._eventfd, self._ready)

    @classmethod
    def create(cls, loop: asyncio.AbstractEventLoop) -> "KernelSync | None":
        """Return a new one that reports to ``loop``, or None where the kernel does not offer it."""
        numbers = _CALLS.get(platform.machine()) if platform.system() == "Linux" else None
        try:
            return cls(loop, numbers) if numbers else None
        except OSError:
            return None

    @staticmethod
    def _check(result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result

    def begin(self, descriptor: int, done: Done) -> None:
        """Begin to make a file's data durable.

        Raises:
            OSError: nothing was begun, and ``done`` is not called: sync in another way.
        """
        _IOCB.pack_into(self._block, 0, 0, 0, 0, _FDSYNC, 0, descriptor, 0, 0, 0, 0, _EVENTFD, self._eventfd)
        self._check(self._call(self._submit, self._context, ctypes.c_long(1), self._blocks))
        self._done = done

    def _ready(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._eventfd)
        if self._taking.acquire(blocking=False):  # else ``wait`` takes it
            try:
                self._take(self._call, 0)
            finally:
                self._taking.release()

    def wait(self) -> None:
        """Block until the sync under way, if any, has ended; ``done`` was called then, on this thread or the loop's."""
        with self._taking:
            self._take(self._blocking_call, 1)

    def _take(self, call: Callable[..., int], at_least: int) -> None:
        """Take the end of the sync under way, if there is one, and tell it."""
        done = self._done
        one, least = ctypes.c_long(1), ctypes.c_long(at_least)
        if done is None or self._check(call(self._getevents, self._context, least, one, self._event, None)) != 1:
            return
        self._done = None
        result = _EVENT.unpack(self._event.raw)[2]
        done(OSError(-result, os.strerror(-result)) if result < 0 else None)

    def close(self) -> None:
        """Give everything back to the kernel, on the loop's next turn while it runs. Call when no sync is under way."""
        try:
            self._loop.call_soon_threadsafe(self._give_back)
        except RuntimeError:  # the loop is closed and watches nothing any more
            self._give_back()

    def _give_back(self) -> None:
        if not self._loop.is_closed():
            self._loop.remove_reader(self._eventfd)
        self._call(self._destroy, self._context)
        os.close(self._eventfd)
