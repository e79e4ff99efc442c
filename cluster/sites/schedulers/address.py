"""A scheduler that somebody else runs, reached by its address and with certificates."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from distributed.security import Security

from cluster.scheduler import Scheduler
from cluster.sites.site import AddressDask
from lake.errors import Fatal, Retriable

_PATIENCE_S: Final = 10


def reached(dask: AddressDask) -> Scheduler:
    """The scheduler, once it has let this client in.

    Raises
    ------
    lake.errors.Fatal
        When a file is missing or wrong, or one side refuses the certificate of the other.
    lake.errors.Retriable
        When nobody answers.
    """
    advice = "see that it runs and that its port can be reached from here, then this again"
    if not dask.address.startswith("tls:"):
        return Scheduler(dask.address, advice=advice)
    if dask.ca is None or dask.certificate is None or dask.key is None:
        raise Fatal(f"{dask.address} needs ca, certificate and key")
    security = shown(dask.address, dask.ca, dask.certificate, dask.key)
    return Scheduler(dask.address, security=security, advice=advice)


def shown(address: str, ca: Path, certificate: Path, key: Path) -> Security:
    """What a client shows a ``tls://`` scheduler, tried.

    Raises
    ------
    lake.errors.Fatal
        When a file is missing or wrong, or one side refuses the certificate of the other.
    lake.errors.Retriable
        When nobody answers.
    """
    _try_out(address, _context(ca, certificate, key), ca, certificate)
    return Security(
        require_encryption=True,
        tls_ca_file=str(ca),
        tls_client_cert=str(certificate),
        tls_client_key=str(key),
    )


def _context(ca: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """What Dask makes of these files too, or a sentence about the one that is wrong.

    Raises
    ------
    lake.errors.Fatal
        When one cannot be used.
    """
    for name, file in (("ca", ca), ("certificate", certificate), ("key", key)):
        try:
            content = file.read_text(encoding="ascii")
        except OSError as error:
            raise Fatal(
                f"{name} {file} cannot be read: {error.strerror}; name another file or mend it"
            ) from error
        except UnicodeDecodeError as error:
            raise Fatal(f"{name} {file} is no PEM file; name another file") from error
        wanted = "private key" if name == "key" else "certificate"
        if f"{wanted.upper()}-----" not in content:
            raise Fatal(f"{name} {file} holds no {wanted} in PEM; name another file")
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(ca))
    except ssl.SSLError as error:
        raise Fatal(f"ca {ca} holds no certificate that can be read: {_reason(error)}") from error
    context.check_hostname = False  # Dask's certificates stand for the cluster, not for a host
    try:
        context.load_cert_chain(
            certificate, key, password=""
        )  # empty, or it would be asked for at the terminal
    except ssl.SSLError as error:
        told = f"certificate {certificate} and key {key} cannot be used together: {_reason(error)}"
        raise Fatal(f"{told}; the key must belong to the certificate and have no passphrase") from error
    return context


def _try_out(address: str, context: ssl.SSLContext, ca: Path, certificate: Path) -> None:
    """Shake hands as Dask would, which itself tells only that it did not work.

    Raises
    ------
    lake.errors.Fatal
        When one side refuses the certificate of the other.
    lake.errors.Retriable
        When nobody answers.
    """
    at = urlsplit(address)
    try:
        with (
            socket.create_connection((at.hostname or "", at.port or 0), timeout=_PATIENCE_S) as plain,
            context.wrap_socket(plain) as secure,
        ):
            secure.recv(1)  # a scheduler speaks first; one that refuses us says so now and not before
    except ssl.SSLCertVerificationError as error:
        told = f"{address} shows a certificate that ca {ca} does not vouch for: {error.verify_message}"
        raise Fatal(f"{told}; name the authority that signed the cluster's certificates") from error
    except (ssl.SSLError, ConnectionResetError, BrokenPipeError) as error:
        told = f"{address} refuses certificate {certificate}: {_reason(error)}"
        raise Fatal(f"{told}; have it signed by the authority of the cluster") from error
    except OSError as error:
        told = f"the Dask scheduler at {address} does not answer: {error.strerror or error}"
        raise Retriable(f"{told}; see that it runs and that its port can be reached from here") from error


def _reason(error: OSError) -> str:
    """OpenSSL's words without its places in the source."""
    words = getattr(error, "reason", None) or error.strerror or str(error)
    return str(words).lower().replace("_", " ")
