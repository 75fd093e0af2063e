"""Loads the reading policies: those shipped beside ``sealgate.policy.reading``, or an operator's own folder."""

from importlib import resources
from pathlib import Path

from sealgate.model.errors import ConfigurationError, InputError
from sealgate.policy.reading import ReadingPoint


def load(folder: Path | None = None) -> ReadingPoint:
    """Return the reading policies of a folder (``*.cedar``), or those we ship. A folder replaces ours as a whole.

    Raises:
        ConfigurationError: the folder has none, or one does not load; nothing is loaded in part.
    """
    shipped = resources.files("sealgate.policy.reading")
    schema = (shipped / "schema.cedarschema").read_text("utf-8")
    try:
        if folder is None:
            return ReadingPoint({"default": (shipped / "default.cedar").read_text("utf-8")}, schema)
        sources = {path.stem: path.read_text("utf-8") for path in sorted(folder.glob("*.cedar"))}
        if not sources:
            raise ConfigurationError(f"`{folder}` has no reading policy", hint="write *.cedar, or empty the setting")
        return ReadingPoint(sources, schema)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"reading policies in `{folder}` cannot be read: {error}") from error
    except InputError as error:
        raise ConfigurationError(f"reading policies: {error.message}", hint=error.hint) from error
