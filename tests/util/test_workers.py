import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from util.workers import run_jobs, usual_workers

ROOT = Path(__file__).parents[2]


def nothing():
    pass


def double(number):
    return 2 * number


@pytest.mark.parametrize("workers", [1, 3])
def test_every_job_comes_back_with_its_result(workers):
    assert list(run_jobs(double, range(5), workers, start=nothing)) == [(n, 2 * n) for n in range(5)]
    assert sorted(run_jobs(double, range(5), workers, start=nothing, in_order=False)) == [(n, 2 * n) for n in range(5)]


def leave_a_trace(path):
    time.sleep(0.01)
    path.touch()


@pytest.mark.parametrize("workers", [1, 2])
def test_when_left_early_the_other_jobs_are_dropped(workers, tmp_path):
    """Ten seconds of work: were all of it done, no wait of the machine's could be the reason."""
    traces = [tmp_path / str(number) for number in range(1000)]
    with contextlib.closing(run_jobs(leave_a_trace, traces, workers, start=nothing)) as results:
        next(results)
    done = [trace.exists() for trace in traces]
    assert done[0]
    assert not all(done)
    assert done == sorted(done, reverse=True), "begun jobs are finished"


def test_usual_workers_are_at_least_one_and_not_too_many():
    assert 1 <= usual_workers() <= 8


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no process can be killed in this way here")
def test_workers_end_when_their_parent_is_killed(tmp_path):
    """Each holds hundreds of megabytes, and nothing would ever tell it to go."""
    (tmp_path / "waiting.py").write_text(
        textwrap.dedent(
            f"""
            import os, sys, time
            sys.path.insert(0, {str(ROOT)!r})
            from util.workers import run_jobs

            def nothing():
                pass

            def wait(number):
                if number > 1:
                    time.sleep(600)
                time.sleep(1)
                return os.getpid()

            if __name__ == "__main__":
                for number, pid in run_jobs(wait, range(9), 2, start=nothing):
                    print(pid, flush=True)
            """
        )
    )
    with subprocess.Popen([sys.executable, tmp_path / "waiting.py"], stdout=subprocess.PIPE, text=True) as parent:
        workers = [int(parent.stdout.readline()) for _ in range(2)]
        parent.kill()
    for pid in set(workers):
        deadline = time.monotonic() + 60
        while _lives(pid):
            assert time.monotonic() < deadline, f"worker {pid} is still there"
            time.sleep(0.1)


def _lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/status")  # what nobody waits for stays as a zombie
    return not (status.is_file() and "State:\tZ" in status.read_text())
