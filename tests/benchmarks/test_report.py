"""What is asked and what was reached; the recorded results as Markdown and JSON."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import result_page, run
from benchmarks.targets import CPU, CUDA, TARGETS, standings
from benchmarks.varied import ALONE, voc_sizes

THIS = run.THIS.label


def row(**results: dict[str, Any]) -> dict[str, Any]:
    source = {"date": "2000-01-01", "commit": "abc", "threads": 2, "versions": {"torch": "2"}}
    return {"title": "Forward", **source, "results": {THIS: results.pop("this"), **results}}


def timed(median: float) -> dict[str, Any]:
    return {"seconds": [median], "median": median, "peak_memory": 2e9, "imports_memory": 1e8, "difference": 1e-6}


def test_the_best_peer_counts() -> None:
    rows = {"forward-fp32": row(this=timed(0.5), **{"ONNX Runtime": timed(1.0), "OpenVINO": timed(2.0)})}
    (found,) = standings(rows, "cpu")
    assert (found.peer, found.theirs, found.ratio) == ("ONNX Runtime", 1.0, 0.5)
    assert found.reached


def test_a_target_is_missed() -> None:
    (found,) = standings({"forward-bf16": row(this=timed(1.01), OpenVINO=timed(1.0))}, "cpu")
    assert not found.reached
    assert "**1.01** | 0.85 | not reached |" in result_page.targets_table(
        {"forward-bf16": row(this=timed(1.01), OpenVINO=timed(1.0))}, "cpu"
    )


def test_without_a_peer_there_is_no_standing() -> None:
    assert standings({"forward-fp32": row(this=timed(1.0), OpenVINO={"failed": "cannot be had"})}, "cpu") == []
    assert standings({"forward-fp32": row(this={"failed": "x"}, OpenVINO=timed(1.0))}, "cpu") == []


def test_a_floor_may_be_in_another_row() -> None:
    rows = {"forward-bf16": row(this=timed(3.0)), "machine": row(this={}, **{"floor bf16": {"median": 2.0}})}
    (found,) = standings(rows, "cuda")
    assert found.ratio == found.target.factor == 1.5


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_every_target_names_rows_and_peers_that_are_measured(device: str) -> None:
    rows = run.rows(device)
    for target in TARGETS[device]:
        found = rows[target.row]
        if found is not None:
            labels = {entry.label for entry in found.entries}
            assert THIS in labels
            assert target.peer_row in rows or set(target.peers) <= labels
    assert {target.row for target in CPU + CUDA} >= {"varied", "startup"}


def test_results_of_one_row_leave_the_others_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run.machine, "describe", lambda device: {"cpu": "Abacus (R) 2", "cores": 2})
    options = argparse.Namespace(device="cpu", results=tmp_path)
    run.store(options, "train-fp32", row(this=timed(1.0), **{"PyTorch eager": timed(4.0)}))
    run.store(options, "forward-fp32", row(this=timed(1.0), OpenVINO={"failed": "cannot be had: no network"}))
    record = json.loads((tmp_path / "abacus-r-2-2-cores.json").read_text())
    assert list(record["rows"]) == ["forward-fp32", "train-fp32"]
    text = (tmp_path / "abacus-r-2-2-cores.md").read_text()
    assert "| Forward | PyTorch eager | 4.00 s | 1.00 s | **0.25** | 0.45 | reached |" in text
    assert "| OpenVINO | cannot be had: no network |" in text
    assert "| this project | 1.00 s | 1.00 s … 1.00 s | 1 | 1.00 | 2 GB (imports 0.10) | 1.0e-06 |" in text


def test_only_rows_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.main(["--only", "backward"])
    assert "no row is called backward" in capsys.readouterr().err


def test_varied_sizes_compare_each_size_with_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.engines import Job
    from benchmarks.race import Entry
    from benchmarks.varied import varied

    def work(self: Entry, job: Job) -> dict[str, Any]:
        met: set[tuple[int, int]] = set()
        seconds = [size[0] + 100 * (size not in met and not met.add(size)) for size in job.sizes]  # type: ignore[func-returns-value]
        return {"seconds": seconds}

    monkeypatch.setattr(Entry, "work", work)
    found = varied([Entry("this", "")], Job("", []), [(1, 1), (3, 1), (1, 1)])
    assert found["this"]["median"] == pytest.approx((101 + 103 + 1) / 3)
    assert found["this" + ALONE]["median"] == pytest.approx(5 / 3)


def test_the_sizes_are_those_of_photographs() -> None:
    sizes = voc_sizes()
    assert len(sizes) == 50
    assert all(max(size) <= 500 and min(size) > 100 for size in sizes)
