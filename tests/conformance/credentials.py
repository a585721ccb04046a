"""The certificates and tokens that cases and servers name, made on the spot in a folder of their own."""

from __future__ import annotations

from pathlib import Path

from callgate_server.security.tokens import add_token
from tests.functional.certificates import Authority

__all__ = ["make_credentials"]


def make_credentials(folder: Path) -> dict[str, str]:
    """Files and tokens by the names that `!file` and `!token` take.

    Args:
        folder: where the files go.

    Returns:
        By name: "authority" (a CA file), "server", "server key", "alice certificate", "alice key",
        "stranger authority", "stranger certificate", "stranger key", "tokens" (the server's file), "alice" (a token).
    """
    authority, stranger = Authority(folder), Authority(folder, "stranger")
    server, alice, unknown = authority.server(), authority.client("alice"), stranger.client("mallory")
    files = {
        "authority": authority.certificate,
        "server": server.certificate,
        "server key": server.key,
        "alice certificate": alice.certificate,
        "alice key": alice.key,
        "stranger authority": stranger.certificate,
        "stranger certificate": unknown.certificate,
        "stranger key": unknown.key,
        "tokens": folder / "tokens.txt",
    }
    token = add_token(folder / "tokens.txt", "alice")
    return {name: str(path) for name, path in files.items()} | {"alice": token}
