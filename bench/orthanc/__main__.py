"""Run Filmroom and Orthanc turn and turn about and print both: `python -m bench.orthanc`, make bench-orthanc.

Several releases of Orthanc can be run (--release host --release trixie); ours is compared with the better.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

from bench.dicomweb import disk, report
from bench.dicomweb.__main__ import add_options
from bench.dicomweb.load import load, warm
from bench.dicomweb.plan import Plan
from bench.dicomweb.runner import Row, Server, run
from bench.dicomweb.suite import cases
from bench.orthanc.install import HERE, NotInstalled, Release, bring
from bench.orthanc.ours import embedded, with_services
from bench.orthanc.server import FAST, Orthanc

_SERVICES = (
    " The other one ran on PostgreSQL, with fsync, and on\nthe S3 server of the tests, a process in Python: "
    "where objects move, that server is what is measured most."
)
_FOLDER = Path(__file__).parents[2] / ".bench"


def main() -> None:
    """Install what is missing, run, and print or write the tables."""
    options = _parser().parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    try:
        releases = [bring(name, _root(options, name)) for name in options.release or [HERE]]
    except NotInstalled as error:
        sys.exit(str(error))
    _same_disk(options.folder, releases)
    plan = Plan(rounds=options.rounds, population=options.population)
    found = list(disk.ceilings(options.folder))
    with ExitStack() as stack:
        kinds = [embedded, with_services] if options.services else [embedded]
        servers = [stack.enter_context(kind(options.folder)) for kind in kinds]
        servers += [stack.enter_context(Orthanc(each, options.folder)).server for each in releases]
        rows = _rows(plan, options, servers)
    comparison = report.Comparison([each.name for each in servers], rows, plan.population, len(kinds))
    text = f"{_conditions(plan, services=options.services)}\n\n{comparison.markdown()}\n\n{disk.table(found)}"
    print(text)
    if options.markdown:
        report.write(text, options.markdown)


def _rows(plan: Plan, options: argparse.Namespace, servers: list[Server]) -> list[list[Row]]:
    for server in servers:
        print(f"loading {server.name}", file=sys.stderr, flush=True)
        load(plan, server, options.only)
        warm(plan, server)
    rows = []
    chosen = cases(plan, options.only)
    with suppress(KeyboardInterrupt):  # ends the run; what there is by then is printed
        for _, each in run(chosen, servers, rounds=plan.rounds, seconds=options.seconds):
            rows.append(each)
            for server, row in zip(servers, each, strict=True):
                print(report.line(server.name, row), file=sys.stderr, flush=True)
    return rows


def _conditions(plan: Plan, *, services: bool) -> str:
    fast = ", ".join(f"`{name}` {str(value).lower()}" for name, value in FAST.items())
    return (
        f"Python {platform.python_version()}, {os.cpu_count()} cores shared with the client, "
        f"{plan.population:,} studies to search, slices of 0.53 MB. All servers were asked in turn, best of "
        f"{plan.rounds} rounds; times are the median and the 95th percentile. Orthanc ran on SQLite with\n"
        f"{fast}: what a server says is stored is on its disk. Filmroom ran on SQLite and a folder\n"
        f"with its defaults.{_SERVICES if services else ''}"
    )


def _root(options: argparse.Namespace, name: str) -> Path:
    root: Path = options.root or options.folder / name
    return root.absolute()


def _same_disk(folder: Path, releases: list[Release]) -> None:
    """End the run where one server would write to another disk than the other."""
    for each in releases:
        if each.name != HERE and each.root.stat().st_dev != folder.stat().st_dev:
            sys.exit(f"{each.root} and {folder} are on different disks; name others with --root and --folder")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.orthanc", description=__doc__)
    parser.add_argument("--release", action="append", help="host (the default), or a Debian release: trixie")
    parser.add_argument("--root", type=Path, help="where that release is unpacked, or will be")
    parser.add_argument(
        "--folder", type=Path, default=_FOLDER, help="for data: needs 10 GB, emptied at the end"
    )
    parser.add_argument(
        "--services", action="store_true", help="measure a Filmroom on PostgreSQL and S3 as well"
    )
    parser.add_argument("--markdown", type=Path, help="write the tables to this file, between its marks")
    add_options(parser)
    return parser


if __name__ == "__main__":
    main()
