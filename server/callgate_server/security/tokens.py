"""Static bearer tokens: made, stored hashed, checked in constant time.

A token file has a line a token, `NAME SHA256-HEX`; `#` starts a comment. Tokens are 256 random bits, so one plain hash
is enough: there is nothing to guess that a slow hash would protect (unlike passwords).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
from pathlib import Path

__all__ = ["TokenFileError", "TokenTable", "add_token"]

_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
_HASH = re.compile(r"[0-9a-f]{64}")

#: Identities that are not for tokens: what functions see where nobody is asked, or a certificate has no name.
RESERVED = frozenset({"anonymous", "certificate"})


class TokenFileError(ValueError):
    """A token file that cannot be read as one."""


class TokenTable:
    """The tokens that a server takes.

    Args:
        hashes: SHA-256 digests by name.
    """

    def __init__(self, hashes: dict[str, bytes]) -> None:
        self._hashes = tuple(hashes.items())

    def __len__(self) -> int:
        return len(self._hashes)

    def __repr__(self) -> str:
        return f"TokenTable({len(self)} tokens)"  # never the hashes

    @classmethod
    def load(cls, path: Path) -> TokenTable:
        """Read a token file.

        Raises:
            TokenFileError: if it cannot be read, has a line that is wrong, or no token at all.
        """
        text = _read(path)
        if path.stat().st_mode & stat.S_IWOTH:
            raise TokenFileError(
                f"{path} can be written by every user of this machine; take that away: chmod o-w {path}"
            )
        hashes: dict[str, bytes] = {}
        for number, line in enumerate(text.splitlines(), 1):
            words = line.partition("#")[0].split()
            if not words:
                continue
            if len(words) != 2 or not _NAME.fullmatch(words[0]) or not _HASH.fullmatch(words[1]):
                raise TokenFileError(f"{path}:{number}: a line is 'NAME SHA256-HEX'; `callgate token NAME` writes one")
            if words[0] in RESERVED:
                raise TokenFileError(f"{path}:{number}: {words[0]!r} is who calls without a token; choose another name")
            if words[0] in hashes:
                raise TokenFileError(f"{path}:{number}: {words[0]!r} stands here twice")
            hashes[words[0]] = bytes.fromhex(words[1])
        if not hashes:
            raise TokenFileError(f"{path} has no token; `callgate token NAME --file {path}` adds one")
        return cls(hashes)

    def identify(self, token: str) -> str | None:
        """Whose token it is.

        Every stored hash is compared, each in constant time, so that the time taken tells neither whether a token is
        known nor which one it is near.

        Returns:
            The token's name; None if it is not known.
        """
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        found: str | None = None
        for name, stored in self._hashes:
            if hmac.compare_digest(stored, digest):
                found = name
        return found


def add_token(path: Path, name: str) -> str:
    """Make a token and append its hash to a token file, which is created readable by its owner only.

    Args:
        path: the token file.
        name: who it is for: the identity that functions and the log see.

    Returns:
        The token, which is stored nowhere.

    Raises:
        TokenFileError: if the name is taken or is no name, or the file is wrong.
    """
    if not _NAME.fullmatch(name):
        raise TokenFileError(f"{name!r} is no name: letters, digits, '.', '_', '@' and '-', at most 64")
    if name in RESERVED:
        raise TokenFileError(f"{name!r} is who calls without a token; choose another name")
    text = _read(path) if path.exists() else ""
    if text.strip() and any(taken == name for taken, _ in TokenTable.load(path)._hashes):
        raise TokenFileError(f"{path} has a token for {name!r} already; take its line out to replace it")
    token = secrets.token_urlsafe(32)
    line = f"{name} {hashlib.sha256(token.encode()).hexdigest()}\n"
    if text and not text.endswith("\n"):  # an editor left the last line open
        line = "\n" + line
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        file.write(line)
    return token


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise TokenFileError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TokenFileError(f"{path} is no text; a token file has lines 'NAME SHA256-HEX'") from None
