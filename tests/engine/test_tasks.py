import io
import os
import signal
from collections import deque

import pytest
from tqdm import tqdm

from engine import tasks as processes
from engine.tasks import Task, last_line, run_all, run_tasks
from util.errors import FailedError, Interrupted, UserError

PATIENT = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def task(tmp_path):
    """Makes a command of some Python code."""

    def make(label, code, *words):
        script = tmp_path / f"{label}.py"
        script.write_text(code)
        return Task(label, script, words, tmp_path / "logs" / f"{label}.log")

    return make


def run(tasks, places, meanwhile=lambda: None):
    return list(run_tasks(deque(tasks), places, meanwhile))


def bar():
    return tqdm(file=io.StringIO())


def test_each_device_has_one_command_at_a_time(task, tmp_path):
    """A command leaves a line when it begins and when it ends; `two` and `three` share the place that comes free."""
    code = f"""
import sys, pathlib, time
place, journal = sys.argv[2], pathlib.Path({str(tmp_path)!r}) / sys.argv[2]
with journal.open("a") as file: print("begins", sys.argv[1], file=file)
time.sleep(0.2)
with journal.open("a") as file: print("ends", sys.argv[1], file=file)
"""
    tasks = [task(name, code, name) for name in ("one", "two", "three", "four")]
    assert sorted((done.label, status) for done, status in run(tasks, [["cpu"], ["gpu"]])) == [
        *(("four", 0), ("one", 0), ("three", 0), ("two", 0))
    ]
    journals = [(tmp_path / place).read_text().splitlines() for place in ("cpu", "gpu")]
    assert sorted(line for journal in journals for line in journal if "begins" in line) == [
        *("begins four", "begins one", "begins three", "begins two")
    ]
    for journal in journals:
        assert [line.replace("begins", "ends") for line in journal[::2]] == journal[1::2]
    assert journals[0][0] == "begins one"
    assert journals[1][0] == "begins two"


@pytest.mark.parametrize(
    ("counts", "given", "seen"),
    [
        ((1, 1), "", "None"),
        ((1, 9), "", "None"),
        ((2, 9), "", "3"),
        ((3, 3), "", "2"),
        ((9, 9), "", "1"),
        ((2, 2), "7", "7"),
    ],
)
def test_neighbours_share_the_cores(task, monkeypatch, counts, given, seen):
    commands, places = counts
    monkeypatch.setattr(processes, "usable_cores", lambda: 6)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    tasks = [task(str(number), "import os; print(os.environ.get('OMP_NUM_THREADS'))") for number in range(commands)]
    run(tasks, [[]] * places)
    assert {one.log.read_text().strip() for one in tasks} == {seen}


def test_a_failure_is_one_line_and_the_others_go_on(task, tmp_path, capsys):
    begun = tmp_path / "begun"
    begun.touch()
    bad = task("seed 1", "print('50%|██'); raise SystemExit('\\nerror: no luck\\x1b[2J\\n')")
    killed = task("seed 2", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    good, ended = task("seed 3", ""), []
    with pytest.raises(FailedError, match=r"^seed 1; seed 2: failed; the same command again resumes it$"):
        run_all(dict.fromkeys([bad, killed, good], begun), [[]], bar(), lambda: 0, ended.append)
    assert capsys.readouterr().err.splitlines() == [
        f"seed 1: seed 1.py ended with status 1: no luck\\x1b[2J (more in {bad.log})",
        f"seed 2: seed 2.py was killed by SIGKILL: no message (more in {killed.log})",
    ]
    assert ended == [good]


def test_bad_input_is_not_tried_again_with_the_next_seed(task, tmp_path, capsys):
    tasks = [task(f"seed {seed}", "raise SystemExit(2)") for seed in range(3)]
    with pytest.raises(UserError, match=r"^seed 0: failed"):
        run_all(dict.fromkeys(tasks, tmp_path / "never made"), [[]], bar(), lambda: 0)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_skipped_samples_are_no_failure(task, tmp_path):
    ended = []
    one = task("one", "raise SystemExit(3)")
    run_all({one: tmp_path / "x"}, [[]], bar(), lambda: 0, ended.append)
    assert ended == [one]


def test_the_bar_ends_with_what_is_done(task, tmp_path):
    progress = tqdm(total=2, file=io.StringIO())
    one = task("one", f"open({str(tmp_path / 'done')!r}, 'w')")
    run_all({one: tmp_path / "x"}, [[]], progress, lambda: 2 * (tmp_path / "done").exists())
    assert progress.n == 2


def ready(*tasks):
    return all(task.log.is_file() and "ready" in task.log.read_text() for task in tasks)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_is_handed_on_and_begins_nothing_more(task, capsys, number):
    one, two, three = (task(name, PATIENT) for name in ("one", "two", "three"))
    sent = []

    def stop_once():  # a second interrupt would kill
        if not sent and ready(one, two):
            sent.append(number)
            signal.raise_signal(number)

    handler = signal.getsignal(number)
    with pytest.raises(Interrupted, match="the same command again resumes it"):
        run([one, two, three], [[], []], stop_once)
    assert not three.log.exists()
    assert "stopping after this step" in capsys.readouterr().err
    assert signal.getsignal(number) is handler


def test_a_failure_while_stopping_is_said(task):
    """A full disk, say, when the state is to be saved."""
    one = task("one", PATIENT.replace("130", "2"))
    ended = []
    with pytest.raises(Interrupted):
        for done, status in run_tasks(deque([one]), [[]], lambda: ready(one) and signal.raise_signal(signal.SIGTERM)):
            ended.append((done.label, status))
    assert ended == [("one", 2)]


def test_a_second_interrupt_kills(task, tmp_path):
    deaf = task(
        "deaf",
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(os.getpid(), 'ready', flush=True); time.sleep(60)",
    )
    with pytest.raises(KeyboardInterrupt):
        run([deaf], [[]], lambda: ready(deaf) and signal.raise_signal(signal.SIGINT))
    with pytest.raises(ProcessLookupError):
        os.kill(int(deaf.log.read_text().split()[0]), 0)


def test_the_last_line_is_below_the_progress_bar():
    assert last_line("start\n 10%|█\r 20%|██\rerror: x\n\n") == "error: x"
    assert last_line(" \n") == "no message"
