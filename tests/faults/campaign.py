"""A seeded campaign: runs that are killed, whose file system fails, or whose directory is changed, then continued."""

from __future__ import annotations

import errno
import functools
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gan_cli.runs import directory
from tests.faults import faults
from tests.faults.harness import KILLED, Bench, Ended, differences, pictures
from tests.faults.warm import UNEXPECTED

MOST_SESSIONS = 5
ERRORS = ("EIO", "ENOSPC", "EACCES", "EMFILE", "ESTALE", "ENOTEMPTY", "EDQUOT", "ENOENT", "EROFS", "ENOMEM")
NORMAL = ("step ", "finished ", "evaluated every")  # how the lines of a run begin that nothing happened to


@dataclass
class Score:
    """What became of the trials of one kind.

    Attributes:
        tried: trials.
        said: those in which a session reported what had happened.
        equal: those whose run ended equal to the undisturbed one.
        refused: those that no command continues: one line says why.
        unnoticed: what differs in a run although no session reported it, and tracebacks.
    """

    tried: int = 0
    said: int = 0
    equal: int = 0
    refused: int = 0
    unnoticed: list[str] = field(default_factory=list)


def table(scores: dict[str, Score]) -> list[str]:
    """Return the scores as lines."""
    head = ("kind", "tried", "said", "equal to undisturbed", "refused in one line", "undetected differences")
    rows = [head, *((kind, s.tried, s.said, s.equal, s.refused, len(s.unnoticed)) for kind, s in scores.items())]
    return [" | ".join(f"{cell!s:>{max(len(head[i]), 22)}}" for i, cell in enumerate(row)) for row in rows]


class Campaign:
    """Trials of each kind against one undisturbed run.

    Args:
        folder: an empty directory.
        whole: the undisturbed run.
    """

    def __init__(self, folder: Path, whole: Path) -> None:
        self.folder, self.whole = folder, whole
        self.scores: dict[str, Score] = {}
        self._bases: list[Path] = []
        self._events = 0

    def run(self, kind: str, seed: int) -> None:
        """Make one trial: `kill`, `fault` or `mutation`."""
        rng = random.Random(f"{kind} {seed}")
        bench = Bench(self.folder / f"{kind}_{seed}")
        bench.folder.mkdir()
        ended, what = getattr(self, f"_{kind}")(bench, rng)
        score = self.scores.setdefault(kind, Score())
        score.tried += 1
        sessions = [*ended, *_continued(bench)]
        output = "".join(session.output for session in sessions)
        reported = [line for line in output.splitlines() if not line.startswith(NORMAL) and " steps" not in line]
        is_over = sessions[-1].code in (0, 3) or "has finished its" in sessions[-1].output
        score.said += bool(reported)
        if UNEXPECTED in [session.code for session in sessions] or "Traceback" in output:
            score.unnoticed.append(f"{kind} {seed}: {what}: a traceback\n{output}")
            return
        if not is_over:  # refused in one line, whatever is tried
            assert sessions[-1].code in (1, 2), (kind, seed, what, output)
            score.refused += 1
            return
        run = bench.folder / "run"
        found = differences(run, self.whole)
        found += ["TensorBoard's pictures"] if pictures(run) != pictures(self.whole) else []
        score.equal += not found
        if missing := [one for one in found if not _is_named(one, output)]:
            score.unnoticed.append(f"{kind} {seed}: {what}: {missing}\n{output}")
        shutil.rmtree(bench.folder)

    def _kill(self, bench: Bench, rng: random.Random) -> tuple[list[Ended], str]:
        """Kill at random events of one session, or of several one after another."""
        run, ended = bench.folder / "run", []
        for at in [rng.randint(1, self._count(bench)) for _ in range(rng.choice((1, 1, 2, 3)))]:
            act = bench.resume if (run / directory.CONFIG).exists() else bench.train
            ended.append(act("run", fault=functools.partial(faults.kill_in_run, run, at)))
            if ended[-1].code != KILLED:
                break
        return ended, f"killed {len(ended)} times"

    def _fault(self, bench: Bench, rng: random.Random) -> tuple[list[Ended], str]:
        """Let the file system fail, once or from some event on, in the first session."""
        at, name, times = rng.randint(1, self._count(bench)), rng.choice(ERRORS), rng.choice((1, 1, 2, 5, 10**6))
        run = bench.folder / "run"
        fault = functools.partial(faults.fail_in_run, run, at, getattr(errno, name), times)
        return [bench.train("run", fault=fault)], f"{name} from event {at} on, {times} times"

    def _mutation(self, bench: Bench, rng: random.Random) -> tuple[list[Ended], str]:
        """Change some files of a run that was killed, or is finished."""
        run = bench.folder / "run"
        shutil.copytree(rng.choice(self.bases()), run)
        done = []
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            paths = sorted(path for path in run.rglob("*") if path.name != directory.LOG)
            act, path = rng.choice(MUTATIONS), rng.choice(paths)
            act(path, rng, paths)
            done.append(f"{path.relative_to(run)} {act.__name__}")
        return [], ", ".join(done)

    def bases(self) -> list[Path]:
        """Return runs to change: killed at several steps, and finished; made once."""
        if not self._bases:
            bench = Bench(self.folder)
            for step in (3, 5, 6, 7):
                assert bench.train(f"base_{step}", fault=functools.partial(faults.kill_at, step)).code == KILLED
            self._bases = [*(self.folder / f"base_{step}" for step in (3, 5, 6, 7)), self.whole]
        return self._bases

    def _count(self, bench: Bench) -> int:
        """Return the events of an undisturbed run."""
        if not self._events:
            fault = functools.partial(faults.kill_in_run, bench.folder / "counted", 0)
            self._events = bench.train("counted", fault=fault).events
            assert self._events > 100
        return self._events


def _continued(bench: Bench) -> Iterator[Ended]:
    """Repeat the command until the run is finished, or is refused."""
    run = bench.folder / "run"
    for _ in range(MOST_SESSIONS):
        started = (run / directory.CONFIG).exists() or (run / directory.CHECKPOINTS).exists()
        yield (ended := bench.resume("run") if started else bench.train("run"))
        if ended.code in (0, 2, 3):
            return


def _is_named(difference: str, output: str) -> bool:
    """Return whether what differs was reported: its file, or settings with which the run was continued."""
    if "unlike the session before" in output:
        return True
    if difference.startswith("TensorBoard's"):
        return "events.out" in output or "metrics.jsonl" in output or "samples/" in output
    return difference in output


def flipped(path: Path, rng: random.Random, others: list[Path]) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 1, 3)) if content else 0):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def zeroed(path: Path, rng: random.Random, others: list[Path]) -> None:
    content = bytearray(path.read_bytes())
    start = rng.randrange(len(content) + 1)
    content[start : start + 512] = bytes(len(content[start : start + 512]))
    path.write_bytes(content)


def truncated(path: Path, rng: random.Random, others: list[Path]) -> None:
    os.truncate(path, rng.randrange(path.stat().st_size + 1))


def lengthened(path: Path, rng: random.Random, others: list[Path]) -> None:
    path.write_bytes(path.read_bytes() + rng.randbytes(rng.randrange(1, 500)))


def inserted(path: Path, rng: random.Random, others: list[Path]) -> None:
    content = path.read_bytes()
    at = rng.randrange(len(content) + 1)
    path.write_bytes(content[:at] + rng.choice((b"\n", b"0", b"\x1b[31m", rng.randbytes(9))) + content[at:])


def a_line_less(path: Path, rng: random.Random, others: list[Path]) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    if lines:
        del lines[rng.randrange(len(lines))]
    path.write_bytes(b"".join(lines))


def a_line_twice(path: Path, rng: random.Random, others: list[Path]) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines, *lines[rng.randrange(len(lines) + 1) :][:1]]))


def a_digit_changed(path: Path, rng: random.Random, others: list[Path]) -> None:
    content = bytearray(path.read_bytes())
    if places := [i for i, byte in enumerate(content) if chr(byte).isdigit()]:
        content[rng.choice(places)] = ord(rng.choice("0123456789"))
    path.write_bytes(content)


def emptied(path: Path, rng: random.Random, others: list[Path]) -> None:
    path.write_bytes(b"")


def replaced(path: Path, rng: random.Random, others: list[Path]) -> None:
    path.write_bytes(rng.choice([other for other in others if other.is_file()]).read_bytes())


def removed(path: Path, rng: random.Random, others: list[Path]) -> None:
    path.unlink()


def linked(path: Path, rng: random.Random, others: list[Path]) -> None:
    path.unlink()
    path.symlink_to(rng.choice(others))


def a_directory(path: Path, rng: random.Random, others: list[Path]) -> None:
    path.unlink()
    path.mkdir()


def _of_file(act: Callable[..., None]) -> Callable[..., None]:
    """Let a directory be removed or renamed, whatever is done to files."""

    @functools.wraps(act)
    def mutated(path: Path, rng: random.Random, others: list[Path]) -> None:
        if not path.is_dir():
            act(path, rng, others)
        elif rng.random() < 0.5:
            shutil.rmtree(path)
        else:
            path.rename(path.with_name(rng.choice((f"{path.name}_", f"step_{rng.randrange(9):010d}_", "other"))))

    return mutated


MUTATIONS = [
    _of_file(act)
    for act in (
        *(flipped, zeroed, truncated, lengthened, inserted, a_line_less, a_line_twice, a_digit_changed, emptied),
        *(replaced, removed, linked, a_directory),
    )
]
