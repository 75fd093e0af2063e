"""Files in memory without a name: bounded, whole or gone, and nobody else's."""

import errno
import gc
import hashlib
import os
import resource
import threading
from pathlib import Path

import pytest

from sealgate.access.unnamed import UnnamedFile
from sealgate.model.errors import NotPermittedError, UnavailableError


def test_it_is_in_no_folder_and_is_read_in_parts():
    """No link leads to it; length and digest are those of what was written; a part is read without moving anything."""
    with UnnamedFile(100) as file:
        file.write(b"first second")
        assert file.finish() == (12, hashlib.sha256(b"first second").hexdigest())
        assert (file.read_at(6, 100), file.read_at(0, 5), file.read_at(12, 5)) == (b"second", b"first", b"")
        assert str(Path(f"/proc/self/fd/{file.fileno()}").readlink()) == "/memfd:sealgate-export (deleted)"
        assert os.fstat(file.fileno()).st_nlink == 0
        assert not os.get_inheritable(file.fileno())


def test_it_never_grows_beyond_its_bound():
    """What fits is taken up to the last byte, also over what is there; one byte more is refused and not written."""
    with UnnamedFile(10) as file:
        file.write(b"0123456789")
        with pytest.raises(NotPermittedError, match="more than 10 bytes") as refused:
            file.write(b"x")
        assert refused.value.code == "export-too-large"
        file.seek(4)
        file.write(memoryview(b"abcdef"))
        assert file.finish()[0] == 10
        assert file.read_at(0, 100) == b"0123abcdef"


def test_closing_it_ends_who_still_writes():
    """The writer gets an error, the memory is free, and nothing comes into the file that has the same number next."""
    gc.collect()  # garbage of other tests that is collected meanwhile would free other numbers
    for _ in range(50):
        file, begun, ended = UnnamedFile(1 << 20), threading.Event(), []
        number = file.fileno()
        writer = threading.Thread(target=_write_on, args=(file, begun, ended))
        writer.start()
        assert begun.wait(60)
        assert _held() == 1
        file.close()
        heir = os.memfd_create("heir")
        writer.join(60)
        assert ended
        assert heir == number
        assert os.fstat(heir).st_size == 0
        os.close(heir)
        assert _held() == 0


def _write_on(file, begun, ended):
    try:
        while True:
            file.write(b"x" * 100_000)
            file.seek(0)
            begun.set()
    except (ValueError, OSError) as error:  # closed; or closed while it was asked where it is
        ended.append(error)


def test_a_kernel_that_does_not_know_the_seal_gives_one_without(monkeypatch):
    """Before Linux 6.3 the flag is refused; the file is a plain one then."""
    real, asked = os.memfd_create, []

    def older(name, flags):
        asked.append(flags)
        if flags & 8:
            raise OSError(errno.EINVAL, "unknown flag")
        return real(name, flags)

    monkeypatch.setattr(os, "memfd_create", older)
    with UnnamedFile(10) as file:
        file.write(b"x")
        assert file.finish()[0] == 1
    assert asked == [os.MFD_CLOEXEC | 8, os.MFD_CLOEXEC]


def test_without_descriptors_it_says_so():
    """A process at its limit gets an error of ours, and a file again once there is room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(UnavailableError, match="no memory for a file: Too many open files"):
            UnnamedFile(10)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    UnnamedFile(10).close()


def test_what_cannot_be_written_any_more_does_not_keep_it_open():
    """A limit of the process on a file's length is an error while writing and none while closing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    file = UnnamedFile(1 << 20)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            file.write(b"x" * 100_000)
        file.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert file.closed
    assert _held() == 0


def _held():
    """Return how many such files this process has."""
    return sum("memfd:sealgate-export" in str(path.resolve()) for path in Path("/proc/self/fd").iterdir())
