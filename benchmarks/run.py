"""Measures this project beside its peers, on the same work, and writes benchmarks/results/MACHINE.{json,md}.

    python -m benchmarks.run                             everything on the CPU, over an hour on two cores
    python -m benchmarks.run --device cuda               on a GPU
    python -m benchmarks.run --only forward-bf16 'size-*'     some rows; the others' results stay in the file
    python -m benchmarks.run --quick                     few runs of the most important rows, written nowhere
    python -m benchmarks.run --list

The first run installs ONNX Runtime, OpenVINO and OpenCV into .bench/, and Debian 11 with BVLC Caffe into .bvlc (Linux,
as root). A contestant that cannot be had, fails, or computes something else is reported as such.
"""

import argparse
import datetime
import fnmatch
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import machine, result_page
from benchmarks.engines import Job
from benchmarks.environments import ENVIRONMENTS, REFERENCE_NETS, ROOT, WorkerFailed
from benchmarks.race import Entry, race
from benchmarks.rows import BVLC, CPU, CUDA, EAGER, ENGINES, ONNXRUNTIME, OPENVINO, THIS, Race
from benchmarks.varied import varied, voc_sizes
from caffe.formats.atomic import open_atomic
from fcn_caffe import program

RESULTS = ROOT / "benchmarks" / "results"
STREAMED = (1500, 2000, 6000)
MOST_WHOLE = 2000
"""Pixels along the sides of the images that are streamed, and of those that are computed whole and in tiles, too."""
QUICK = ("forward-fp32", "forward-bf16", "train-fp32", "startup")
Results = dict[str, dict[str, Any]]


def run_race(row: Race, options: argparse.Namespace) -> Results:
    job = Job("", [], row.task, row.precision, row.batch, row.threads or options.threads, options.device, row.options)
    pace = replace(row.pace, turns=1, runs=2) if options.quick else row.pace
    return race(row.entries, job, row.size, pace)


def run_varied(options: argparse.Namespace) -> Results:
    job = Job("", [], threads=options.threads, device=options.device)
    if options.device == "cuda":
        return varied([THIS], replace(job, precision="bf16", options=("on_device",)), voc_sizes())
    any_size = [replace(entry, options=("any_size",)) for entry in ENGINES[1:]]
    return varied([THIS, *any_size], job, voc_sizes())


def run_startup(options: argparse.Namespace) -> Results:
    """Five processes of each by turns, after one that fills the disk cache; the medians."""
    results: Results = {}
    for entry in (THIS, BVLC):
        try:
            folder = ENVIRONMENTS[entry.environment].folder
            turns = [_printed(entry, "benchmarks.startup", folder, options) for _ in range(6)][1:]
            results[entry.label] = {key: median(turn[key] for turn in turns) for key in turns[0]}
        except WorkerFailed as error:
            results[entry.label] = {"failed": str(error)}
    return results


def run_published(options: argparse.Namespace) -> Results:
    """Three processes of each by turns; the medians, side by side, of those who can be had."""
    turns, results = _turns((THIS, BVLC), "benchmarks.published", REFERENCE_NETS, options)
    turns = {label: found for label, found in turns.items() if label not in results}
    for work in next(iter(turns.values()), [{}])[0]:
        medians = {label: median(turn[work] for turn in found) for label, found in turns.items()}
        both = {"ratio": f"{medians[THIS.label] / medians[BVLC.label]:.2f}"} if len(medians) == 2 else {}
        results[work] = {**medians, **both}
    return results


BARE = Entry("torch's functions by hand", "pytorch", options=("bare",))
CLASSIFIERS = (
    Entry(THIS.label, "pycaffe", options=("caffe",)),
    Entry(ONNXRUNTIME.label, "onnxruntime", "peers", options=("onnxruntime",)),
    Entry(OPENVINO.label, "openvino", "peers", options=("openvino",)),
)


def run_small(options: argparse.Namespace) -> Results:
    return _fewest((THIS, BVLC, BARE), "benchmarks.small_nets", REFERENCE_NETS, options)


def run_classifiers(options: argparse.Namespace) -> Results:
    folder = ENVIRONMENTS["here"].folder / "classifiers"
    ENVIRONMENTS["here"].python("-m", "benchmarks.classifiers", str(folder), "prepare", threads=options.threads)
    return _fewest(CLASSIFIERS, "benchmarks.classifiers", folder, options)


def run_workers(options: argparse.Namespace) -> Results:
    """Three turns of each; the medians."""
    folder = ENVIRONMENTS["here"].folder
    entries = [
        replace(entry, label=f"{entry.label}, {how}", options=(*entry.options, *more))
        for entry in CLASSIFIERS[:2]
        for how, more in (("forked with the net loaded", ()), ("each with a net of its own", ("own",)))
    ]
    turns, failed = _turns(entries, "benchmarks.workers", folder, _on_one_thread(options))
    medians = {label: {key: median(turn[key] for turn in found) for key in found[0]} for label, found in turns.items()}
    return {**medians, **failed}


def _turns(
    entries: Sequence[Entry], module: str, folder: Path, options: argparse.Namespace
) -> tuple[dict[str, list[dict[str, float]]], Results]:
    """Three processes of each, by turns: what each printed, and those that failed, which get no further turn."""
    turns: dict[str, list[dict[str, float]]] = {}
    failed: Results = {}
    for entry in [*entries] * 3:
        try:
            if entry.label not in failed:
                turns.setdefault(entry.label, []).append(_printed(entry, module, folder, options))
        except WorkerFailed as error:
            failed[entry.label] = {"failed": str(error)}
    return {label: found for label, found in turns.items() if found}, failed


def _on_one_thread(options: argparse.Namespace) -> argparse.Namespace:
    return argparse.Namespace(**{**vars(options), "threads": 1})


def _fewest(entries: Sequence[Entry], module: str, folder: Path, options: argparse.Namespace) -> Results:
    """The fewest seconds of the turns, one thread each, side by side."""
    turns, results = _turns(entries, module, folder, _on_one_thread(options))
    fewest: dict[str, dict[str, float]] = {}
    for label, printed in turns.items():
        for work, seconds in ((work, seconds) for turn in printed for work, seconds in turn.items()):
            found = fewest.setdefault(work, {})
            found[label] = min(seconds, found.get(label, seconds))
    for work, found in fewest.items():
        peers = [label for label in found if label != THIS.label] if THIS.label in found else []
        ratios = {f"this ÷ {peer}": f"{found[THIS.label] / found[peer]:.2f}" for peer in peers}
        results[work] = {**found, **ratios}
    return results


def _printed(entry: Entry, module: str, folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """What a module prints of a folder, in a contestant's environment. Raises WorkerFailed."""
    environment = ENVIRONMENTS[entry.environment]
    environment.ready()
    arguments = ("-m", module, environment.inside(folder), *entry.options)
    return json.loads(environment.python(*arguments, threads=options.threads))


def run_data(options: argparse.Namespace) -> Results:
    found = json.loads(ENVIRONMENTS["here"].python("-m", "benchmarks.data_loading", "100", threads=options.threads))
    waited = found.pop("waited")
    return {
        f"{THIS.label}, alone": found,
        **{f"waited for an image, the step taking {step} s": {"mean": value} for step, value in waited.items()},
    }


def run_sizes(options: argparse.Namespace) -> Results:
    engines = {THIS.label: "caffe", EAGER.label: "pytorch"}
    return {label: _measured("benchmarks.sizes", engine, options) for label, engine in engines.items()}


def run_busy(options: argparse.Namespace) -> Results:
    return {f"{THIS.label}, {how}": _measured("benchmarks.busy", how, options) for how in ("imported", "tuned")}


def _measured(module: str, argument: str, options: argparse.Namespace) -> dict[str, Any]:
    return json.loads(ENVIRONMENTS["here"].python("-m", module, argument, threads=options.threads))


def run_streaming(options: argparse.Namespace) -> Results:
    """Large images in bands, whole, and in tiles, each in a process of its own, by turns; the best of three
    runs, and one of tiles."""
    results: Results = {}
    for side in STREAMED:
        several = side <= MOST_WHOLE
        for way in (*("", "--whole") * 3, "--tiles") if several else ("",):
            key = f"{side}×{side}, {way.removeprefix('--') or 'in bands'}"
            try:
                found = _streamed(side, way, options)
            except WorkerFailed as error:
                found = {"failed": str(error)}
            if found.get("mean", math.inf) <= results.get(key, found).get("mean", math.inf):
                results[key] = found
    return results


def _streamed(side: int, way: str, options: argparse.Namespace) -> dict[str, Any]:
    command = ("-m", "benchmarks.streaming", str(side), *([way] if way else []))
    found = json.loads(ENVIRONMENTS["here"].python(*command, threads=options.threads))
    result = {"mean": found["seconds"], "of the processors": found["cpu_seconds"], "peak_memory": found["peak"]}
    if way == "--tiles":
        result["other labels"] = f"{found['other_labels']:.2%}"
        result["pixels computed"] = f"{found['computed_per_pixel']} for one"
    return result


def run_machine(options: argparse.Namespace) -> Results:
    return json.loads(ENVIRONMENTS["here"].python("-m", "benchmarks.floor", options.device, threads=options.threads))


OTHERS: dict[str, tuple[str, Callable[[argparse.Namespace], Results]]] = {
    "startup": ("Start-up", run_startup),
    "varied": ("50 images of 50 VOC sizes, mean of a forward", run_varied),
    "published": ("The nets that Caffe was published with", run_published),
    "small": ("Small nets, one thread: seconds of the processor, the fewest of 450", run_small),
    "data": ("Data layer: a whole VOC-sized JPEG and its label to blobs", run_data),
    "classifiers": ("Nets that classify, one thread: seconds of the processor, the fewest of 90", run_classifiers),
    "workers": ("Four processes, one thread each, that serve one net, 200×200", run_workers),
    "sizes": ("Memory that 2,000 more sizes of images take", run_sizes),
    "busy": ("A training step of demo-fcn16s, idle and beside eight busy processes", run_busy),
    "streaming": ("Large images in bands, whole, and in tiles with overlap; the best of three runs", run_streaming),
    "machine": ("The machine's rates, and the floor of a forward by its operations and bytes", run_machine),
}

ON_CPU = ("startup", "published", "small", "classifiers", "workers", "sizes", "busy", "streaming")
"""There alone."""


def rows(device: str) -> dict[str, Race | None]:
    """All rows by name; those that are no races have None."""
    names = [name for name in OTHERS if name not in ON_CPU or device == "cpu"]
    return {**{row.name: row for row in (CPU if device == "cpu" else CUDA)}, **dict.fromkeys(names)}


def measure(name: str, row: Race | None, options: argparse.Namespace) -> dict[str, Any]:
    """A row's record."""
    title = row.title if row else OTHERS[name][0]
    print(f"{name}: {title}", file=sys.stderr, flush=True)
    results = run_race(row, options) if row else OTHERS[name][1](options)
    return {
        "title": title,
        "date": datetime.date.today().isoformat(),
        "commit": machine.commit(ROOT),
        "threads": (row and row.threads) or options.threads,
        "versions": versions(row),
        "results": results,
    }


def versions(row: Race | None) -> dict[str, str]:
    """Of what took part."""
    found: dict[str, str] = {}
    for name in sorted({entry.environment for entry in row.entries} if row else {"here"}):
        found.update(ENVIRONMENTS[name].versions())
    return found


def store(options: argparse.Namespace, name: str, record: dict[str, Any]) -> None:
    """Put one row into the machine's files."""
    this = machine.describe(options.device)
    stem = options.results / machine.file_name(this, options.device)
    stem.parent.mkdir(parents=True, exist_ok=True)
    found = json.loads(stem.with_suffix(".json").read_text()) if stem.with_suffix(".json").exists() else {"rows": {}}
    found |= {"device": options.device, "machine": this}
    order = list(rows(options.device))
    found["rows"] = dict(sorted({**found["rows"], name: record}.items(), key=lambda item: order.index(item[0])))
    with open_atomic(stem.with_suffix(".json")) as file:
        file.write((json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode())
    with open_atomic(stem.with_suffix(".md")) as file:
        file.write(result_page.markdown(found).encode())


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--only", nargs="+", metavar="ROW", help="these rows; * stands for anything")
    parser.add_argument("--quick", action="store_true", help="one turn of two runs, and nothing is written")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: all cores")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--list", action="store_true", help="list the rows")
    return parser


@program.command
def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    known = rows(options.device)
    if options.list:
        print("\n".join(f"{name:20} {row.title if row else OTHERS[name][0]}" for name, row in known.items()))
        return 0
    wanted = options.only or (QUICK if options.quick else list(known))
    chosen = [name for name in known if any(fnmatch.fnmatch(name, pattern) for pattern in wanted)]
    if not chosen:
        parser.error(f"no row is called {' or '.join(wanted)}: --list lists them")
    records = {}
    for name in chosen:
        records[name] = measure(name, known[name], options)
        print(result_page.section(name, records[name]) + "\n", flush=True)
        if not options.quick:
            store(options, name, records[name])
    print(result_page.targets_table(records, options.device))
    return int(any("failed" in record["results"].get(THIS.label, {}) for record in records.values()))


if __name__ == "__main__":
    sys.exit(main())
