"""A server's TLS files, for either transport: looked at before gRPC or OpenSSL say that they cannot be used."""

from __future__ import annotations

import ssl
import stat

import structlog

from callgate._tls import PairError, check_authorities, check_pair
from callgate_server.transports.base import Credentials, TransportFailed

__all__ = ["check", "context_of"]

log = structlog.get_logger("callgate.transport")


def check(files: Credentials) -> None:
    """See that files can serve.

    Raises:
        TransportFailed: if they cannot, and why.
    """
    try:
        check_pair(files.certificate, files.key)
        if files.client_ca is not None:
            check_authorities(files.client_ca)
    except PairError as error:
        raise TransportFailed(f"TLS: {error}") from None
    if files.key.stat().st_mode & stat.S_IROTH:
        # Not refused: this is how container platforms mount secrets.
        log.warning("every user of this machine can read the TLS key", key=str(files.key))


def context_of(files: Credentials) -> ssl.SSLContext:
    """OpenSSL's context for a server of HTTP/2.

    Raises:
        TransportFailed: as `check`.
    """
    check(files)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 9113, section 9.2
    context.set_alpn_protocols(["h2"])
    context.load_cert_chain(files.certificate, files.key)
    if files.client_ca is not None:
        context.load_verify_locations(files.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
