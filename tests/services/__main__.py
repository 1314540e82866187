"""Run PostgreSQL and an S3-compatible store in the foreground; data stays in `.services/`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from archive.index import migrate
from tests.services.postgresql import PostgreSQL
from tests.services.s3 import S3


def main() -> None:
    """Start both, print the settings that use them, and wait for Ctrl-C."""
    home = Path(__file__).parents[2] / ".services"
    postgresql = PostgreSQL(home / "postgresql", durable=True, port=15432)
    s3 = S3(home / "s3", port=19000)
    try:
        postgresql.start()
        s3.start()
        database = postgresql.url("postgres")
        migrate.upgrade(database)
        sys.stdout.write(
            "PostgreSQL and the object store run until Ctrl-C. In another shell:\n\n"
            f"  export FILMROOM_DATABASE_URL='{database}'\n"
            f"  export FILMROOM_STORAGE_URL='{s3.url}'\n"
            "  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test\n"
            "  make serve\n"
        )
        sys.stdout.flush()
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    finally:
        s3.stop()
        postgresql.stop()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    main()
