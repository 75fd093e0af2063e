"""``python -m sealgate.server.vault > schema/openapi-vault.json``: the vault's published API description."""

import sys

from sealgate.server.vault.handlers import document_bytes

if __name__ == "__main__":
    sys.stdout.buffer.write(document_bytes())
