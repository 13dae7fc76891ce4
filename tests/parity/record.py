"""Records what real Caffe computes for the cases: `python -m tests.parity.record [--all] [words...]`.

Only cases that are new or changed run, unless --all; words choose by family or id. Cases that are gone are dropped."""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

from tests.cases import families
from tests.cases.case import Case
from tests.parity import bvlc, recording
from tests.parity.recording import Recording

CHANGING = re.compile(r"0x[0-9a-f]+|/\S*/tmp\w+\.prototxt")  # addresses and temporary files in Caffe's words


def record(words: list[str], everything: bool) -> list[str]:
    """Brings the recordings up to date; returns complaints about cases, one line each."""
    complaints = []
    for family, cases in families().items():
        known = recording.read(family)
        by_id = {case.id: case for case in cases}
        stale = [
            case
            for case in cases
            if (not words or any(word.lower() in f"{family} {case.id}".lower() for word in words))
            and (everything or case.id not in known or known[case.id].fingerprint != case.fingerprint())
        ]
        kept = {case_id: known[case_id] for case_id in known if case_id in by_id and by_id[case_id] not in stale}
        if not stale and kept.keys() == known.keys():
            continue
        for case, result in zip(stale, run_in_bvlc(stale), strict=True):
            complaint = _complaint(case, result)
            if complaint:
                complaints.append(f"{family}: {case.id}: {complaint}")
            elif isinstance(result, bvlc.Refused):
                kept[case.id] = Recording(case.fingerprint(), {}, CHANGING.sub("…", result.words))
            else:
                kept[case.id] = Recording(case.fingerprint(), result)
        recording.write(family, kept)
        print(f"{family}: {len(stale)} recorded, {len(kept)} in all")
    return complaints


def run_in_bvlc(cases: list[Case]) -> list[dict | bvlc.Refused]:
    """The cases' arrays as real Caffe computes them now."""
    with tempfile.TemporaryDirectory() as name:
        tasks = []
        for index, case in enumerate(cases):
            folder = None
            if case.files is not None:
                folder = Path(name) / str(index)
                folder.mkdir()
                case.files(folder)
            tasks.append(bvlc.Task("tests.cases.run", "run_case_dict", case.to_dict(), folder))
        return bvlc.run_tasks(tasks, progress=True)


def _complaint(case: Case, result: dict | bvlc.Refused) -> str | None:
    if isinstance(result, bvlc.Refused):
        if case.refused is None:
            return f"real Caffe refuses it: {result.words}"
        if case.refused not in result.words:
            return f"real Caffe refuses it with other words: {result.words}"
    elif case.refused is not None:
        return "real Caffe does not refuse it"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description="Record what real Caffe computes for the cases.")
    parser.add_argument("--all", action="store_true", help="record every case again")
    parser.add_argument("words", nargs="*", help="only cases with one of these words in family or id")
    arguments = parser.parse_args()
    try:
        bvlc.make()
        complaints = record(arguments.words, arguments.all)
    except bvlc.BvlcError as error:
        print(f"nothing recorded: {error}", file=sys.stderr)
        return 1
    for complaint in complaints:
        print(f"NOT RECORDED {complaint}", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
