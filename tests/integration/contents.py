"""What is in the files of processes that run, and replace and remove them while one looks."""


def content(path):
    """Return what is in a file, nothing where it went between its listing and this."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
