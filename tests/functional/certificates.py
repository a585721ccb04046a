"""Certificates for tests, made on the spot: authorities, and what they sign."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates; its own is `certificate`."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder / name
        self._folder.mkdir(parents=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        now = _now()
        made = (
            _builder(self._name, self._name, self._key, now - _DAY, now + _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = _write(self._folder / "ca.pem", made.public_bytes(serialization.Encoding.PEM))

    def server(self, name: str = "server", host: str = "localhost", days: tuple[float, float] = (-1, 1)) -> Pair:
        """A server's pair for a host name and 127.0.0.1, valid between two days from now."""
        names = x509.SubjectAlternativeName(
            [x509.DNSName(host)] + ([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))] if host == "localhost" else [])
        )
        return self._sign(name, host, names, days)

    def client(self, name: str, *, uri: str = "") -> Pair:
        """A client's pair; with `uri`, it is named by that alone and has no common name."""
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]) if uri else None
        return self._sign(name, "" if uri else name, names, (-1, 1))

    def _sign(
        self, file: str, common_name: str, names: x509.SubjectAlternativeName | None, days: tuple[float, float]
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        now = _now()
        made = _builder(_named(common_name), self._name, key, now + days[0] * _DAY, now + days[1] * _DAY)
        if names is not None:
            made = made.add_extension(names, critical=not common_name)
        signed = made.sign(self._key, hashes.SHA256())
        return Pair(
            _write(self._folder / f"{file}.pem", signed.public_bytes(serialization.Encoding.PEM)),
            _write(self._folder / f"{file}.key", _pem(key)),
        )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begin: datetime.datetime,
    end: datetime.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else [])


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o600)
    return path
