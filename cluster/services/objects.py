"""SeaweedFS: the S3 storage of a home that was made with one, in one process."""

from __future__ import annotations

import json
import secrets
import sys
import time
import urllib.error
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cluster.home.home import Home
from cluster.home.process import write_private
from cluster.services.base import Service, fetch, log_tail
from lake.errors import Fatal, HeliolakeLakeError
from lake.storage import credentials
from lake.storage.credentials import Credentials
from lake.storage.s3 import S3Store

_ACCESS_KEY: Final = "heliolake"
_INSTALL: Final = "pip install 'heliolake[s3]'"
_PARTS: Final = ("master", "volume", "filer", "s3")
_JWT: Final = ("SIGNING", "SIGNING_READ", "FILER_SIGNING", "FILER_SIGNING_READ")
_SOCKET: Final = "/tmp/seaweedfs-{part}-grpc-{port}.sock"  # noqa: S108 - where it makes them
_READY: Final = 60.0  # seconds within which it has to take bytes once it answers; 13 after a SIGKILL


class SeaweedFS(Service):
    """Master, volume server, filer and S3 gateway in one process.

    Every user of the machine can reach a loopback port: the gateway asks for signed requests, the other parts
    for tokens and certificates that only this process has.
    """

    name = "seaweedfs"
    port_names = (
        "s3",
        "weed_s3_grpc",
        *(f"weed_{one}{kind}" for one in _PARTS[:3] for kind in ("", "_grpc")),
    )
    patience = 4.0

    def prepare(self, home: Home) -> None:
        """Write who may use it, and the certificate by which its parts know each other."""
        from distributed.security import Security

        program()
        (home.objects / "data").mkdir(mode=0o700, exist_ok=True)
        keys = Credentials(_ACCESS_KEY, home.secret("s3"))
        identity = {
            "name": _ACCESS_KEY,
            "credentials": [{"accessKey": keys.access_key, "secretKey": keys.secret_key}],
            "actions": ["Admin", "Read", "Write", "List"],
        }
        write_private(home.objects / "identities.json", json.dumps({"identities": [identity]}))
        others = credentials.read(home.store_credentials)
        write_private(home.store_credentials, credentials.as_text(others | {home.store_url: keys}))
        fresh = Security.temporary()
        write_private(home.objects / "tls.key", str(fresh.tls_scheduler_key))
        write_private(home.objects / "tls.pem", str(fresh.tls_scheduler_cert))

    def environment(self, home: Home) -> dict[str, str]:
        """What its parts know each other by: new at every start, seen by nobody else."""
        tokens = {f"WEED_JWT_{one}_KEY": secrets.token_hex(24) for one in _JWT}
        certificate, key = str(home.objects / "tls.pem"), str(home.objects / "tls.key")
        for part in ("MASTER", "VOLUME", "FILER", "S3", "CLIENT"):
            tokens |= {f"WEED_GRPC_{part}_CERT": certificate, f"WEED_GRPC_{part}_KEY": key}
        return tokens | {"WEED_GRPC_CA": certificate, "WEED_FILER_EXPOSE_DIRECTORY_METADATA_ENABLED": "false"}

    def command(self, home: Home) -> Sequence[str]:
        """`weed server` with every port named, for it has a fixed one for whatever is not."""
        ports = [f"-{one}.port={home.port('s3' if one == 's3' else f'weed_{one}')}" for one in _PARTS]
        ports += [f"-{one}.port.grpc={home.port(f'weed_{one}_grpc')}" for one in _PARTS]
        return [
            str(program()),
            "-logtostderr=true",
            "server",
            f"-dir={home.objects / 'data'}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-filer=true",
            "-s3=true",
            *ports,
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.iam=false",
            "-s3.autoCreateBucket=false",
            f"-s3.config={home.objects / 'identities.json'}",
            f"-filer.localSocket={home.objects / 'filer.sock'}",
            f"-s3.localSocket={home.objects / 's3.sock'}",
            "-volume.max=0",  # as many as the disk takes
            "-volume.preStopSeconds=0",  # there is no other to take over
            "-master.volumeSizeLimitMB=1024",
            "-master.telemetry=false",
            "-master.electionTimeout=1s",  # there is nobody else to elect
        ]

    def problem(self, home: Home) -> str:
        """Whether the gateway answers: a request that nobody signed, with a refusal."""
        try:
            fetch(f"{home.url('s3')}/")
        except urllib.error.HTTPError as error:
            return "" if error.code == 403 else f"it answers {error.code}"
        except OSError as error:
            return f"it does not answer: {getattr(error, 'reason', error)}"
        return "it answers whoever asks"

    def start(self, home: Home) -> None:
        """Start it, and wait until it has taken bytes."""
        super().start(home)
        store = S3Store(home.store_url)
        credentials.use(home.store_credentials)
        deadline = time.monotonic() + _READY
        while True:
            try:
                store.make_bucket()
                store.try_out()
            except HeliolakeLakeError as error:
                if time.monotonic() > deadline:
                    raise Fatal(f"{self.name} takes no bytes: {error}{log_tail(home, self.name)}") from error
                time.sleep(0.2)
            else:
                return

    def stop(self, home: Home) -> None:
        """End it; its bytes are on disk at once, while its parts take long to part."""
        super().stop(home)
        for part in _PARTS:  # it leaves them behind, and has no option for their folder
            Path(_SOCKET.format(part=part, port=home.port(f"weed_{part}_grpc"))).unlink(missing_ok=True)

    def address(self, home: Home) -> str:
        """Where the gateway listens."""
        return home.url("s3")


def program() -> Path:
    """The program `weed`, as its wheel installs it.

    Raises
    ------
    Fatal
        When it, or what speaks to it, is not installed.
    """
    from importlib.util import find_spec

    found = Path(sys.executable).with_name("weed")
    if not found.exists() or find_spec("s3fs") is None:
        raise Fatal(f"The S3 storage of a home needs SeaweedFS and s3fs. Install them: {_INSTALL}")
    return found
