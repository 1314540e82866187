"""Measure a running server: `python -m bench.dicomweb --url http://127.0.0.1:8042/dicom-web --pid 123`."""

from __future__ import annotations

import argparse
import sys

from bench.dicomweb import report
from bench.dicomweb.client import Address, NotLoopback
from bench.dicomweb.load import NotEmpty, NotLoaded, load, warm
from bench.dicomweb.plan import Plan
from bench.dicomweb.runner import Row, Server, run
from bench.dicomweb.search import LEAST_POPULATION
from bench.dicomweb.suite import SUITES, cases


def main() -> None:
    """Load the server, run the cases, print the table."""
    options = _parser().parse_args()
    try:
        address = Address.parse(options.url)
    except NotLoopback as error:
        sys.exit(str(error))
    plan = Plan(number=options.number, rounds=options.rounds, population=options.population)
    server = Server(options.name, address, lambda: options.pid)
    rows: list[Row] = []
    try:
        load(plan, server, options.only)
        warm(plan, server)
        for _, (row,) in run(
            cases(plan, options.only), [server], rounds=plan.rounds, seconds=options.seconds
        ):
            rows.append(row)
            print(report.line(server.name, row), file=sys.stderr, flush=True)
            if row.died:
                print(f"{server.name} has died; its other rows are missing", file=sys.stderr)
                break
    except (NotEmpty, NotLoaded) as error:
        sys.exit(str(error))
    print(report.alone(rows))


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what every run can be told."""
    parser.add_argument(
        "--only", nargs="+", choices=list(SUITES), default=[], metavar="WORD", help=", ".join(SUITES)
    )
    parser.add_argument(
        "--rounds", type=int, choices=range(1, 10), metavar="1-9", default=3, help="the best of so many"
    )
    parser.add_argument("--seconds", type=float, default=0.8, help="of a round of what can be asked again")
    parser.add_argument(
        "--population", type=_population, default=500, help="studies that searches look among"
    )


def _population(text: str) -> int:
    if int(text) < LEAST_POPULATION:
        raise argparse.ArgumentTypeError(f"is at least {LEAST_POPULATION}: a list of studies is that long")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.dicomweb", description=__doc__)
    parser.add_argument("--url", required=True, help="DICOMweb root; loopback only, the server empty")
    parser.add_argument(
        "--pid", type=int, action="append", default=[], help="server process; its children count"
    )
    parser.add_argument("--name", default="server", help="what to call it")
    parser.add_argument(
        "--number",
        type=int,
        choices=range(1000),
        metavar="0-999",
        default=0,
        help="another one: other studies",
    )
    add_options(parser)
    return parser


if __name__ == "__main__":
    main()
