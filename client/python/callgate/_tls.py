"""Checks of TLS files before gRPC sees them: its own complaints go to standard error and name no file.

Python's ssl module reads the same PEM files. Both sides use this, with the standard library alone.
"""

from __future__ import annotations

import ssl
from pathlib import Path

__all__ = ["PairError", "check_authorities", "check_pair"]

# Numbers of OpenSSL's X509_V_ERR_* (openssl/x509_vfy.h).
_NOT_YET_VALID = 9
_EXPIRED = 10


class PairError(ValueError):
    """TLS files that cannot serve; the message names the file."""


def check_pair(certificate: Path, key: Path) -> None:
    """Check that a certificate and a key can be used, and belong together.

    Raises:
        PairError: if a file is no PEM of its kind, the key is encrypted or another certificate's, or the certificate
            is out of its time.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except _Encrypted:
        raise PairError(f"the key {key} is encrypted; gRPC takes it only without a passphrase") from None
    except OSError as error:  # ssl.SSLError is one
        raise PairError(_pair_problem(error, certificate, key)) from None
    _check_time(context, certificate)


def check_authorities(certificates: Path) -> None:
    """Check that a file holds certificates.

    Raises:
        PairError: if it does not.
    """
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(certificates)
    except OSError as error:
        raise PairError(f"{certificates} holds no certificate in PEM form ({_said(error)})") from None


class _Encrypted(Exception):
    """The key wants a passphrase."""


def _no_password() -> str:
    raise _Encrypted  # or ssl would ask at the terminal


def _pair_problem(error: OSError, certificate: Path, key: Path) -> str:
    reason = getattr(error, "reason", "") or ""
    if "MISMATCH" in reason:
        return f"the key {key} is not the key of the certificate {certificate}"
    for what, path in (("certificate", certificate), ("key", key)):
        try:
            path.read_bytes()
        except OSError as unreadable:
            return f"the {what} {path} cannot be read: {unreadable.strerror}"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(certificate)
    except OSError:
        return f"{certificate} holds no certificate in PEM form ({_said(error)})"
    return f"{key} holds no private key in PEM form ({_said(error)})"


def _said(error: OSError) -> str:
    return (getattr(error, "reason", None) or error.strerror or str(error)).replace("_", " ").lower()


def _check_time(server: ssl.SSLContext, certificate: Path) -> None:
    """See that the certificate is within its time, by a handshake in memory whose client trusts it alone.

    The standard library shows a certificate's dates in no other public way. Whatever else the rehearsal may complain
    about (purposes, key sizes) is for gRPC, which has its own rules.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(certificate)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (
        client.wrap_bio(to_client, to_server),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    done = [False, False]
    for _ in range(8):  # a TLS 1.3 handshake takes two rounds, 1.2 three
        for index, side in enumerate(sides):
            try:
                if not done[index]:
                    side.do_handshake()
                    done[index] = True
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                if error.verify_code == _EXPIRED:
                    raise PairError(f"the certificate {certificate} has expired") from None
                if error.verify_code == _NOT_YET_VALID:
                    raise PairError(f"the certificate {certificate} is not valid yet; is the clock right?") from None
                return
            except ssl.SSLError:
                return
