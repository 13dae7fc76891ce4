"""Read damaged inputs and kill trainings, and say what came of it; the exit status is 1 where anything was found."""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

FOUND = Path("out/faults")
"""Where inputs that something was found with are kept."""
SAID_EVERY = 1000


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000, help="how many damaged inputs (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=20, help="how many kills (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="of everything that is drawn (default: a fresh one)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes (default: %(default)s)")
    parser.add_argument("--only", nargs="+", metavar="READER", help="these kinds of file alone (see --list)")
    parser.add_argument("--list", action="store_true", help="list the kinds of file")
    parser.add_argument("--replay", nargs=2, metavar=("READER", "NUMBER"), help="one input again, with its traceback")
    return parser


def main() -> int:
    options = _parser().parse_args()
    if sys.platform != "linux":
        sys.exit("tests.faults: limits on memory are set and read as Linux has them. Run it there.")
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: the processes are what runs side by side
    from fcn_caffe import program
    from tests.faults import kills, report
    from tests.faults.readers import READERS

    program.quiet(__import__("caffe"))
    if options.list:
        print("\n".join(READERS))
        return 0
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    if options.replay:
        return replay(READERS[options.replay[0]], int(options.replay[1]), seed)
    print(f"seed {seed}", flush=True)
    readers = {name: READERS[name] for name in options.only} if options.only else READERS
    tally = read(readers, options.inputs, seed, options.jobs) if options.inputs else {}
    if options.inputs:
        print(report.table(tally), flush=True)
    lost = kills.run(options.kills, seed, FOUND / str(seed)) if options.kills else []
    print("\n".join(lost), end="\n" if lost else "")
    faults = sum(each.faults for each in tally.values())
    print(f"seed {seed}: {options.inputs:,} inputs, {faults} faults; {options.kills} kills, {len(lost)} losses")
    return int(bool(faults or lost))


def read(readers: dict, inputs: int, seed: int, jobs: int) -> dict:
    """Read that many inputs, as many of each kind; what was found is kept and said at once."""
    from tests.faults import pool, report, verdict

    names = list(readers)
    tasks = ((names[number % len(names)], number // len(names)) for number in range(inputs))
    tally = {name: report.Tally() for name in names}
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-", dir=_memory()) as work:
        verdicts = pool.run(readers, tasks, seed, jobs, Path(work))
        for done, ((name, index), found, folder) in enumerate(verdicts, start=1):
            if done % SAID_EVERY == 0:
                print(f"{done:,} of {inputs:,} inputs, {time.monotonic() - began:.0f} s", flush=True)
            if tally[name].count(found):
                print(f"{found.kind}: --replay {name} {index} --seed {seed}: {found.said} {found.place}", flush=True)
            if found.kind in verdict.FAULTS and folder.is_dir():
                kept = FOUND / str(seed) / f"{found.kind}-{name}-{index}"
                shutil.rmtree(kept, ignore_errors=True)
                shutil.copytree(folder / "in/the/folder", kept, symlinks=True)
                shutil.rmtree(folder)
    print(f"{inputs:,} inputs in {time.monotonic() - began:.0f} s")
    return tally


def _memory() -> str | None:
    """A folder in memory, where there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def replay(reader: object, index: int, seed: int) -> int:
    """Make one input again, and read it here: what it raises is raised."""
    from tests.faults import child

    assert isinstance(reader, child.Reader)
    folder = (FOUND / "replay" / f"{reader.name}-{index}" / "in/the/folder").resolve()
    shutil.rmtree(folder.parents[2], ignore_errors=True)
    folder.mkdir(parents=True)
    child.write(reader.input(seed, index), folder)
    print(f"{folder} holds the input", flush=True)
    os.chdir(folder)
    reader.read(folder)
    print("read without an error")
    return 0


if __name__ == "__main__":
    sys.exit(main())
