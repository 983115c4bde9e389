"""Trains one recipe with several seeds and reports how far its results depend on the seed."""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data.scenes.fused_items import parse_methods
from data.scenes.inspection import describe, look_at
from engine.tasks import Task, run_all
from options.commands import TrainConfig, parse_test, parse_train
from options.data import SourcesOptions
from options.saved import MAY_CHANGE, differences, read_options, take_travelling, to_dict
from options.strict import StrictParser, split_words, whole
from options.validate import validate_test, validate_train
from scripts.comparing.repeated import read_tested, read_validated, table_text, write_repeated
from util.errors import UserError, one_line, report_skipped, run_command
from util.files import check_writable, write_text
from util.journal import refuse_other_settings
from util.loggers.metrics_file import read_records
from util.metrics.measuring import parse_metrics

ROOT = Path(__file__).resolve().parents[1]
_DESCRIPTION = """Trains one recipe with several seeds, fuses test sets with each network, and reports mean ± standard
deviation over the seeds of every metric. What follows -- goes to train.py, what follows a second -- to test.py:
--seeds 0 1 2 --name city --test datasets/TNO -- --dataroot datasets/city -- --epoch best
A run that was stopped resumes when it is started again; what is finished is kept."""

_SET_HERE = {
    "train.py": "--name --seed --gpu_ids --continue_train --overwrite --accept_changes",
    "test.py": "--name --dataroot --gpu_ids --metrics --checkpoints_dir --results_dir --sources --out --list",
}
# A run of another length is another recipe, though train.py could resume it.
_MAY_CHANGE = MAY_CHANGE - {"n_epochs", "n_epochs_decay"}
_LOGS, _VALIDATION = "logs", "validation"  # beside the folders of the test sets
_TESTED = ".tested"


@dataclass(frozen=True)
class Run:
    """One seed.

    Attributes:
        seed: the seed.
        folder: checkpoints/NAME_seed<k>.
        last_epoch: how many epochs it has.
    """

    seed: int
    folder: Path
    last_epoch: int

    @property
    def options_file(self) -> Path:
        """The options that it was begun with."""
        return self.folder / "options.json"

    def is_finished(self) -> bool:
        """Whether the training is over: it saves the networks of its last epoch after everything else."""
        return self.options_file.is_file() and (self.folder / f"{self.last_epoch}_net_G.pth").is_file()

    def epochs_done(self) -> int:
        """How many epochs are done."""
        if self.is_finished():
            return self.last_epoch
        records = read_records(self.folder / "metrics.jsonl")
        return int(records[-1]["epoch"]) - 1 if records else 0


@dataclass(frozen=True)
class Test:
    """One test set.

    Attributes:
        name: what it is called.
        root: its folder.
        words: arguments of test.py, without the run's name.
        folder: for its results, the value of --results_dir.
        label: the folder that test.py makes for them below the run's name.
    """

    name: str
    root: Path
    words: tuple[str, ...]
    folder: Path
    label: str

    def results(self, run: Run) -> Path:
        """Where test.py puts the results of a run."""
        return self.folder / run.folder.name / self.label

    def state(self, run: Run) -> str:
        """Tells the test of a run from others, and from itself after a change of the networks or the images."""
        networks, images = run.folder.glob("*_net_G.pth"), (path for path in self.root.rglob("*") if path.is_file())
        files = sorted([*networks, *images])
        states = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
        words = [*self.words, "--name", run.folder.name]
        return hashlib.sha256(json.dumps([words, states]).encode()).hexdigest()


def main(argv: Sequence[str]) -> int:
    """Runs the command; see --help."""
    own, training, testing = split_words(argv, ["train.py", "test.py"])
    options = _build_parser().parse_strict(own)
    options.out = options.out or Path("results") / f"{options.name}_repeated"
    _check(options, training, testing)
    config, runs = _check_recipe(options, training)
    tests = _check_tests(options, config, testing)
    if not tests and not config.training.val_dataroot:
        raise UserError("--test is missing: name a test set, or give train.py a --val_dataroot")
    check_writable("--out", options.out)
    gpu_ids = config.run.gpu_ids if options.gpu_ids is None else options.gpu_ids
    devices = [one.strip() for one in gpu_ids.split(",")]
    slots = [["--gpu_ids", one] if one else [] for one in devices] * options.parallel

    _train(options, runs, training, slots)
    skipped = _test(options, runs, tests, slots)

    sets = [read_tested(test.name, {run.seed: test.results(run) for run in runs}) for test in tests]
    if config.training.val_dataroot:
        sets.append(read_validated(_VALIDATION, {run.seed: run.folder for run in runs}))
    facts = {"seeds": " ".join(str(run.seed) for run in runs), "train.py": " ".join(training)}
    facts |= {"test.py": " ".join(testing)} if testing else {}
    files = write_repeated(options.out, f"{options.name}, {len(runs)} seed{'s' * (len(runs) > 1)}", facts, sets)
    print(table_text(sets), end="")
    print(*files)
    return report_skipped(skipped)


def _build_parser() -> StrictParser:
    parser = StrictParser(
        prog="repeat_training.py", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    nothing = argparse.SUPPRESS
    add("--seeds", required=True, nargs="+", type=int, metavar="K", default=nothing, help="one training for each")
    add("--name", required=True, default=nothing, help="the runs are called NAME_seed<K>")
    text = "folder of a test set, as test.py's --dataroot; NAME= may be left out; to be given for each set"
    add("--test", action="append", nargs="+", metavar="NAME=DIR", default=[], help=text)
    add("--metrics", metavar="NAMES", default="quick", help="metrics to compute, as test.py's (default: quick)")
    text = "devices, such as 0,1 or -1 for the CPU; one training at a time on each"
    add("--gpu_ids", metavar="IDS", default=None, help=text)
    text = "trainings at a time on each device (default: 1)"
    add("--parallel", type=whole("--parallel", 1), metavar="N", default=1, help=text)
    add("--out", type=Path, metavar="DIR", help="folder of the results (default: results/NAME_repeated)")
    add("--verbose", action="store_true", help="show where an error comes from")
    return parser


def _check(options: argparse.Namespace, training: Sequence[str], testing: Sequence[str]) -> None:
    if len(set(options.seeds)) < len(options.seeds):
        raise UserError(f"--seeds {' '.join(map(str, options.seeds))}: a seed is named twice")
    if options.metrics == "none":
        raise UserError("--metrics none: there is nothing to report")
    parse_metrics(options.metrics)
    if not training:
        raise UserError("the options of train.py are missing: expected after --, as in -- --dataroot DIR")
    for script, words in (("train.py", training), ("test.py", testing)):
        for word in words:
            if word.partition("=")[0] in _SET_HERE[script].split():
                raise UserError(f"{word} is set by this script for every {script}: leave it out after --")


def _check_recipe(options: argparse.Namespace, training: Sequence[str]) -> tuple[TrainConfig, list[Run]]:
    """Parses the options of train.py, and refuses runs that were begun with others.

    train.py would take what is left out now from the run that it resumes, and a further seed would have another recipe
    than the first ones.

    Returns:
        The options of the last seed, and all runs.
    """
    runs = []
    for seed in options.seeds:
        words = [*training, "--name", f"{options.name}_seed{seed}", "--seed", str(seed)]
        words += [] if options.gpu_ids is None else ["--gpu_ids", options.gpu_ids]
        config, parsed = parse_train(words)
        notices = validate_train(config, parsed)
        if config.training.overwrite:
            raise UserError("overwrite: a training that was begun is resumed here; leave it out of --config")
        folder = config.run.folder
        run = Run(seed, folder, config.training.n_epochs + config.training.n_epochs_decay)
        if run.options_file.is_file():
            changed = differences(read_options(run.options_file), to_dict(config), _MAY_CHANGE)
            refuse_other_settings(
                folder, {f"--{name}": values for name, values in changed.items()}, "another recipe needs another --name"
            )
        runs.append(run)
    sys.stderr.writelines(f"{notice}\n" for notice in notices)
    return config, runs


def _check_tests(options: argparse.Namespace, config: TrainConfig, testing: Sequence[str]) -> list[Test]:
    """Looks at the test sets, so that what is wrong with them is reported before the trainings, not after them."""
    tests = []
    for name, root in parse_methods([word for words in options.test for word in words], "--test").items():
        if Path(name).name != name or name.startswith(".") or name in (_LOGS, _VALIDATION):
            raise UserError(f"--test {name}={root}: {name!r} cannot be the name of a folder here: choose another")
        if not root.is_dir():
            raise UserError(f"--test {name}={root}: no such folder")
        words = [*testing, "--dataroot", str(root), "--metrics", options.metrics]
        words += ["--checkpoints_dir", config.run.checkpoints_dir, "--results_dir", str(options.out / name)]
        test, parsed = parse_test(words, take_travelling(to_dict(config)))
        validate_test(test, parsed)
        if test.selection.dataset_mode == "sources":
            found = look_at(
                cast(SourcesOptions, test.dataset), root, test.data.phase, num_sources=test.data.num_sources
            )
            print(f"{one_line(name)}: {describe(found)[-1]}")
        label = f"{test.data.phase}_{test.fusing.epoch}"
        tests.append(Test(name, root, tuple(words), options.out / name, label))
    return tests


def _train(
    options: argparse.Namespace, runs: Sequence[Run], training: Sequence[str], slots: Sequence[Sequence[str]]
) -> None:
    """Trains what is not trained yet; train.py resumes what was begun."""
    tasks = {}
    for run in runs:
        if not run.is_finished():
            words = (*training, "--name", run.folder.name, "--seed", str(run.seed), "--continue_train")
            log = options.out / _LOGS / f"train_seed{run.seed}.log"
            tasks[Task(f"seed {run.seed}", ROOT / "train.py", words, log)] = run.options_file

    def done() -> int:
        return sum(run.epochs_done() for run in runs)

    total = sum(run.last_epoch for run in runs)
    bar = tqdm(total=total, initial=done(), unit="epoch", desc="training", dynamic_ncols=True, disable=not tasks)
    run_all(tasks, slots, bar, done)


def _test(
    options: argparse.Namespace, runs: Sequence[Run], tests: Sequence[Test], slots: Sequence[Sequence[str]]
) -> list[str]:
    """Fuses and measures what is not measured yet.

    Returns:
        A line on each sample that was skipped.
    """
    tasks: dict[Task, Path] = {}
    marks: dict[Task, tuple[Path, str]] = {}
    logs = []
    for test, run in itertools.product(tests, runs):
        mark, state = test.results(run) / _TESTED, test.state(run)
        logs.append(options.out / _LOGS / f"test_{test.name}_seed{run.seed}.log")
        if not (mark.is_file() and mark.read_text(encoding="utf-8") == state):
            mark.unlink(missing_ok=True)
            words = (*test.words, "--name", run.folder.name)
            task = Task(f"seed {run.seed}, {test.name}", ROOT / "test.py", words, logs[-1])
            tasks[task], marks[task] = run.options_file, (mark, state)  # the sets were looked at before

    def done() -> int:
        return sum(mark.is_file() for mark, _ in marks.values())

    bar = tqdm(total=len(tasks), unit="test", desc="testing", dynamic_ncols=True, disable=not tasks)
    run_all(tasks, slots, bar, done, lambda task: write_text(*marks[task]))
    texts = [log.read_text(encoding="utf-8", errors="replace") for log in logs if log.is_file()]
    lines = (line for text in texts for line in text.splitlines())
    return list(dict.fromkeys(line.removeprefix("skipped: ") for line in lines if line.startswith("skipped: ")))


if __name__ == "__main__":
    sys.exit(run_command(main))
