"""Shows a training, running or finished, in Visdom from what it has recorded on disk."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.training.loggers import run_facts
from options.saved import read_options
from options.strict import StrictParser
from options.watching import WatchingOptions, check_address
from util.errors import EXIT_DONE, UserError, run_command
from util.loggers.board import Board
from util.loggers.recorded import fill_board
from util.loggers.visdom_client import VisdomClient, VisdomError

_DESCRIPTION = """Sends the curves and the newest images that a training has recorded under checkpoints/NAME to a
Visdom server, in the windows that train.py would have drawn. Start the server with: python -m visdom.server
-bind_local"""


def main(argv: Sequence[str]) -> int:
    """Runs the command; see --help."""
    options = _build_parser().parse_strict(argv)
    folder = options.checkpoints_dir / options.name
    if not (folder / "metrics.jsonl").is_file():
        raise UserError(f"{folder}: no training is recorded there (there is no metrics.jsonl)")
    check_address(options.display_server)
    # A run that was copied without its options is shown without them.
    facts = run_facts(read_options(folder / "options.json")) if (folder / "options.json").is_file() else {}
    board = Board(options.name, facts)
    fill_board(board, folder, closed=True)
    client = VisdomClient(
        options.display_server, options.display_port, vars(options).get("display_env") or options.name
    )
    where = f"{options.display_server}:{options.display_port}"
    try:
        windows = client.replace_windows(f"{options.name}: ", board)
    except VisdomError as error:
        raise UserError(f"Visdom at {where}: {error}; start it with python -m visdom.server -bind_local") from error
    print(f"{windows} windows sent to {where}, environment {client.environment}")
    return EXIT_DONE


def _build_parser() -> StrictParser:
    defaults = WatchingOptions()
    parser = StrictParser(prog="visdom_replay.py", description=_DESCRIPTION)
    add = parser.add_argument
    add("--name", required=True, default=argparse.SUPPRESS, help="name of the run")
    add(
        "--checkpoints_dir",
        type=Path,
        metavar="DIR",
        default=Path("checkpoints"),
        help="folder that holds the folders of the runs",
    )
    add("--display_server", metavar="URL", default=defaults.display_server, help="address of the Visdom server")
    add("--display_port", type=int, metavar="N", default=defaults.display_port, help="port of the Visdom server")
    add(
        "--display_env", metavar="ENV", default=argparse.SUPPRESS, help="Visdom's environment (default: the run's name)"
    )
    add("--verbose", action="store_true", help="show where an error comes from")
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main))
