"""The command line: what it offers, in words for a newcomer, and how a command's failure becomes one clear line."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from chargebus_cli import commands
from chargebus_cli.errors import CommandError
from chargebus_cli.say import complain

_LAST_PORT = 65535

_ABOUT = """\
Chargebus is a charging station management system: stations connect over OCPP (1.6J, 2.0.1, 2.1),
independent services decide, store and answer through Kafka, and operators use an HTTP API.

Start with `chargebus run`: it brings its own Kafka and PostgreSQL and a simulated fleet.
"""

_RUN = """\
Without a service: the whole system in this process, for a look around, development and small sites.
Unless KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL name others, it starts an Apache Kafka and a PostgreSQL
of its own and keeps their data in --data from one start to the next. It creates topics and databases,
prints the addresses and an admin API key, and lets a simulated fleet charge. Ctrl-C stops everything.

With services (`chargebus run edge`): just those, as one process, with everything given by environment
variables; docs/operations.md lists them. Topics and databases are made by `chargebus topics` and
`chargebus migrate`.
"""

_PARKED = """\
A record that a service could not handle (our fault, never the station's) is set aside in the topic
<service>.parked with its reason, so that the others go on. Here they are listed, shown and, once the
cause is mended, replayed. A replay is harmless if the record was handled after all: one effect per fact.
What nobody wants any more is dismissed. As long as there are any, /health says how many.
DATABASE_URL names the databases' server.
"""

_HOLES = """\
When Kafka no longer has records that a service has not read (retention ran over it, a topic was recreated,
a database was set back), the service logs and counts that hole, goes on behind it, and shows it in /health
until an operator has looked and acknowledges it here. DATABASE_URL names the databases' server.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name; the exit code is 0, 1 for a failure, 2 for wrong arguments."""
    parser = _parser()
    chosen, rest = parser.parse_known_args(arguments)
    if rest and not chosen.hands_on:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    chosen.handed_on = rest
    try:
        sys.exit(chosen.command(chosen))
    except CommandError as error:
        complain(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chargebus", description=_ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(command=lambda _chosen: _show_help(parser), hands_on=False)
    offered = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_run(offered)
    _add_simulate(offered)
    _add_bench(offered)
    _add_topics(offered)
    _add_migrate(offered)
    _add_parked(offered)
    _add_holes(offered)
    return parser


Offered: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add_run(offered: Offered) -> None:
    run = _command(offered, "run", "run the whole system, or single services", _RUN)
    run.add_argument("services", nargs="*", metavar="SERVICE", help="run only these; all, embedded, without a name")
    whole = run.add_argument_group("the whole system")
    whole.add_argument("--fleet", type=_count, default=12, metavar="N", help="simulated stations, 0 for none (12)")
    whole.add_argument("--depot", type=_count, default=6, metavar="N", help="more at a depot, at most 6 (6)")
    whole.add_argument("--ocpp-port", type=_port, default=9310, metavar="PORT", help="where stations connect (9310)")
    whole.add_argument("--http-port", type=_port, default=8310, metavar="PORT", help="where the HTTP API is (8310)")
    whole.add_argument("--data", type=Path, default=Path(".data"), metavar="FOLDER", help="what is kept (.data)")
    run.set_defaults(command=commands.run)


def _add_simulate(offered: Offered) -> None:
    simulate = _command(
        offered,
        "simulate",
        "let simulated stations charge at a system that runs",
        "Registers simulated stations (1.6, 2.0.1 and 2.1) over the HTTP API and lets them live a day at speed.",
    )
    simulate.add_argument("--fleet", type=_count, default=12, metavar="N", help="how many stations (12)")
    simulate.add_argument("--depot", type=_count, default=6, metavar="N", help="more at a depot, at most 6 (6)")
    simulate.add_argument(
        "--ocpp", default="ws://127.0.0.1:9310/ocpp", metavar="URL", help="the edge, without a station"
    )
    simulate.add_argument("--http", default="http://127.0.0.1:8310", metavar="URL", help="the HTTP API")
    simulate.add_argument("--key", metavar="KEY", help="an operator's API key (or CHARGEBUS_API_KEY)")
    simulate.add_argument(
        "--keep", type=Path, default=Path(".fleet"), metavar="FOLDER", help="for passwords and meters (.fleet)"
    )
    simulate.set_defaults(command=commands.simulate)


def _add_bench(offered: Offered) -> None:
    # Its arguments, --help too, are its own, so that they are described in one place.
    bench = offered.add_parser("bench", help="measure this machine", add_help=False)
    bench.set_defaults(command=commands.bench, hands_on=True)


def _add_topics(offered: Offered) -> None:
    topics = _command(
        offered,
        "topics",
        "create the Kafka topics",
        "Creates the declared topics that are missing at KAFKA_BOOTSTRAP_SERVERS, and tells where existing ones "
        "differ from their declaration. It changes and deletes none.",
    )
    topics.add_argument("--list", action="store_true", help="only print what is declared")
    topics.set_defaults(command=commands.topics)


def _add_migrate(offered: Offered) -> None:
    migrate = _command(
        offered,
        "migrate",
        "bring the databases up to date",
        "Creates the database of each service at DATABASE_URL where it is missing, and brings it to its newest "
        "revision. Run it before a new version of a service starts; it may run twice, or in several places at once.",
    )
    migrate.add_argument("services", nargs="*", metavar="SERVICE", help="only of these services")
    migrate.set_defaults(command=commands.migrate)


def _add_parked(offered: Offered) -> None:
    parked = _command(offered, "parked", "records that could not be handled: list, show, replay, dismiss", _PARKED)
    parked.set_defaults(command=lambda _chosen: _show_help(parked))
    verbs = parked.add_subparsers(title="what to do", metavar="VERB")
    listing = verbs.add_parser("list", help="one line for each that was neither replayed nor dismissed")
    listing.add_argument("services", nargs="*", metavar="SERVICE", help="of these services; of all without a name")
    listing.set_defaults(command=commands.parked_list)
    showing = verbs.add_parser("show", help="one of them whole: headers, reason, payload")
    showing.add_argument("service", metavar="SERVICE")
    showing.add_argument("number", type=int, metavar="NUMBER", help="as `parked list` shows it")
    showing.set_defaults(command=commands.parked_show)
    for name, summary, command in (
        ("replay", "send them back to where they came from", commands.parked_replay),
        ("dismiss", "take them out of the list and of the service's health, unhandled", commands.parked_dismiss),
    ):
        verb = verbs.add_parser(name, help=summary)
        verb.add_argument("service", metavar="SERVICE")
        which = verb.add_mutually_exclusive_group(required=True)
        which.add_argument(
            "numbers", nargs="*", type=int, default=[], metavar="NUMBER", help="as `parked list` has them"
        )
        which.add_argument("--all", action="store_true", help="all that the service has")
        verb.set_defaults(command=command)


def _add_holes(offered: Offered) -> None:
    holes = _command(offered, "holes", "records that can never be read: list, acknowledge", _HOLES)
    holes.set_defaults(command=lambda _chosen: _show_help(holes))
    verbs = holes.add_subparsers(title="what to do", metavar="VERB")
    for name, summary, command in (
        ("list", "one line for each that nobody acknowledged", commands.holes_list),
        ("acknowledge", "take them out of the services' health", commands.holes_acknowledge),
    ):
        verb = verbs.add_parser(name, help=summary)
        verb.add_argument("services", nargs="*", metavar="SERVICE", help="of these services; of all without a name")
        verb.set_defaults(command=command)


def _command(offered: Offered, name: str, summary: str, description: str) -> argparse.ArgumentParser:
    return offered.add_parser(
        name,
        help=summary,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter if "\n" in description else argparse.HelpFormatter,
    )


def _show_help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 0


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return number


def _port(text: str) -> int:
    number = int(text)
    if not 0 < number <= _LAST_PORT:
        raise argparse.ArgumentTypeError("must be between 1 and 65535")
    return number
