"""Tells a secret from what stands for one: placeholders, identifiers, paths, words."""

import base64
import binascii
from itertools import pairwise
from math import log2
from typing import Final

import orjson

_PLACEHOLDERS: Final = (
    *("example", "placeholder", "changeme", "change_me", "your_", "your-", "yourtoken", "insert", "redacted", "dummy"),
    *("<", ">", "${", "{{", "$(", "...", "xxxx", "****", "####", "enter_", "replace", "process.env", "os.environ"),
    *("getenv", "abcdefghijkl"),
)
_WEAK_PASSWORDS: Final = frozenset("password pass token secret passwd pwd yyy xxx key pw test".split())  # noqa: SIM905  # reads better
_MIN_ASSIGNED: Final = 10
_MIN_ENTROPY: Final = 3.0
_MIN_TOKEN_ENTROPY: Final = 2.7
_HIGH_ENTROPY: Final = 3.7
_RANDOM_PART: Final = 16


def entropy(text: str) -> float:
    """Return Shannon's entropy of a text's characters, in bits a character."""
    size = len(text)
    return -sum(text.count(c) / size * log2(text.count(c) / size) for c in set(text)) if size else 0.0


def placeholder(text: str) -> bool:
    """Tell whether a value stands for a secret instead of being one."""
    lower = text.lower()
    if any(word in lower for word in _PLACEHOLDERS):
        return True
    return len(set(lower)) <= 3 or lower[:1] in {"$", "%", "{", "["}


def token(text: str) -> bool:
    """Tell whether a value with an issuer's prefix varies as random text does."""
    body = text.rsplit("_", 1)[-1] if "_" in text else text.rsplit("-", 1)[-1]
    body = body if len(body) >= 12 else text
    if body.isalpha() and (body.isupper() or body.islower()):
        return False
    return not placeholder(body) and entropy(body) >= _MIN_TOKEN_ENTROPY


def mixed(text: str) -> bool:
    """Tell whether a value has a digit and varies."""
    return any(c.isdigit() for c in text) and token(text)


def assigned(text: str) -> bool:
    """Tell whether what is assigned to a secret's name could be one: long, varied, digits; no word, host or path."""
    if len(text) < _MIN_ASSIGNED or placeholder(text) or entropy(text) < _MIN_ENTROPY:
        return False
    figures = sum(c.isdigit() for c in text)
    if not figures or (figures == 1 and entropy(text) < _HIGH_ENTROPY) or not any(c.isalpha() for c in text):
        return False
    if ("." in text and all(_short_word(part) for part in text.split("."))) or changes(text) < max(2, len(text) // 10):
        return False
    return not ("(" in text or "::" in text or "->" in text or text.startswith(("/", "./", "http:", "https:", "file:")))


def changes(text: str) -> int:
    """Return how often letters and digits take turns: in random text often, in words and names seldom."""
    kinds = [c.isdigit() for c in text if c.isalnum()]
    return sum(before != after for before, after in pairwise(kinds))


def _short_word(part: str) -> bool:
    return len(part) < _RANDOM_PART and part.replace("_", "a").replace("-", "a").isalnum()


def password(text: str) -> bool:
    """Tell whether what is assigned to a password's name could be one."""
    if len(text) < 6 or len(set(text)) < 5 or placeholder(text):
        return False
    if not any(c.isdigit() or c in "!@#%^&*+?~" for c in text):
        return False
    return "(" not in text and not text.startswith(("/", "=", "://"))


def jwt(text: str) -> bool:
    """Tell whether the first part is base64 of a JSON object."""
    head = text.split(".", 1)[0]
    try:
        value = orjson.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError):
        return False
    return isinstance(value, dict)


def key_block(text: str) -> bool:
    """Tell whether there is something after the line that begins a private key."""
    return len(text.split("-----")[2].strip()) >= 3


def user_and_password(text: str) -> bool:
    """Tell whether ``user:password`` is more than a placeholder; a key may stand as user without password."""
    user, _, secret = text.partition(":")
    if not secret:
        return len(user) >= 8 and mixed(user)
    return len(secret) >= 3 and secret.lower() not in _WEAK_PASSWORDS and not placeholder(text)
