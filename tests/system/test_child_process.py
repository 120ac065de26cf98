"""Processes that work for this one: what they print, read and are signalled does not come between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from photoindex.system.child_process import Child
from tests.support import REPOSITORY

# Answers each request with the code that it holds, run.
CODE = """
import sys; sys.path[:] = sys.argv[1:]
import json, os
from photoindex.system.child_process import own_streams, send, to_nowhere
requests, answers = own_streams()
for line in requests:
    send(answers, repr(eval(json.loads(line))))
"""
SECONDS = 60.0


@pytest.fixture
def child() -> Iterator[Child]:
    child = Child(CODE, capture_stderr=True)
    yield child
    child.close()


def answer(child: Child, code: str) -> object:
    return json.loads(child.exchange(code, seconds=SECONDS))


@pytest.mark.parametrize(
    "output", ["print('printed', flush=True)", "os.write(1, b'printed')", "os.system('echo printed')"]
)
def test_what_it_prints_is_no_answer(child: Child, output: str) -> None:
    assert answer(child, f"({output}, 7)[1]") == "7"
    assert child.stderr is not None
    assert os.read(child.stderr.fileno(), 7) == b"printed"


@pytest.mark.parametrize("reading", ["sys.stdin.read()", "os.read(0, 100)", "os.popen('cat').read()"])
def test_nothing_else_reads_its_requests(child: Child, reading: str) -> None:
    child.ask(f"len({reading})")
    child.ask("'the next one'")
    too_late = threading.Timer(SECONDS, child.kill)
    too_late.start()
    answers = [child.answers.readline() for _ in range(2)]
    too_late.cancel()
    assert [json.loads(line) for line in answers] == ["0", repr("the next one")]


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_meant_for_the_program_do_not_end_it(child: Child, name: str) -> None:
    pid = int(str(answer(child, "os.getpid()")))
    os.killpg(os.getpgid(pid), getattr(signal, name))
    assert answer(child, "'still there'") == repr("still there")


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_program_that_is_stopped_meanwhile_waits_on() -> None:
    script = (
        "from tests.system.test_child_process import *\n"
        "child = Child(CODE)\n"
        "stop, go_on = (f'os.kill(os.getppid(), {number})' for number in map(int, (signal.SIGSTOP, signal.SIGCONT)))\n"
        "wait = '__import__(\"threading\").Event().wait(2.5)'\n"
        "answer(child, '0')\n"
        "print(json.loads(child.exchange(f'({stop}, {wait}, {go_on}, 7)[3]', seconds=2.0)))\n"
        "child.close()"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "7", done.stderr[-2000:]


def test_what_goes_nowhere_is_not_read_by_the_parent(child: Child) -> None:
    assert answer(child, "(print('heard', flush=True), to_nowhere(1, 2), print('lost', flush=True), 7)[3]") == "7"
    child.kill()
    assert child.stderr is not None
    assert child.stderr.read() == b"heard\n"
