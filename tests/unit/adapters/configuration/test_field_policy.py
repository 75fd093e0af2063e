"""Reading the field policy of an installation."""

from pathlib import Path

import pytest

from sealgate.adapters.configuration import load_policy
from sealgate.model.errors import ConfigurationError


def test_reads_a_file_or_the_built_in(tmp_path):
    """A file is read strictly; an empty path is the built-in policy."""
    (tmp_path / "privacy.toml").write_text("[defaults]\ncontent = 'keep'\n")

    assert load_policy(tmp_path / "privacy.toml").content == "keep"
    assert load_policy(Path()).content == "digest"


@pytest.mark.parametrize("data", [None, b"\xff", b"colour = 1", b"#" * (1 << 20) + b"##"])
def test_refuses(tmp_path, data):
    """A file that is missing, no text, wrong or too long is an error: never a quiet default."""
    path = tmp_path / "privacy.toml"
    if data is not None:
        path.write_bytes(data)

    with pytest.raises(ConfigurationError):
        load_policy(path)
