"""All races of the benchmark, and their targets.

A race's name is what `run.py --only` takes. Each size, batch and number of threads is a race of its own.
"""

from dataclasses import dataclass, field

from benchmarks.race import Entry, Pace, Size

THIS = Entry("this project", "pycaffe")
RECORDED = Entry("this project, CUDA graphs", "pycaffe", options=("graphs",))
SPARING = Entry("this project, keep_blobs = False", "pycaffe", options=("spare_blobs",))
BVLC = Entry("BVLC Caffe", "pycaffe", "bvlc")
ONNXRUNTIME = Entry("ONNX Runtime", "onnxruntime", "peers")
OPENVINO = Entry("OpenVINO", "openvino", "peers")
OPENCV = Entry("OpenCV DNN", "opencv", "peers")
EAGER = Entry("PyTorch eager", "pytorch")
EAGER_LAST = Entry("PyTorch eager, channels last", "pytorch", options=("channels_last",))
COMPILED = Entry("PyTorch compiled, channels last", "pytorch", options=("channels_last", "compile"))
GRAPHS = Entry(
    "PyTorch compiled with CUDA graphs, channels last", "pytorch", options=("channels_last", "compile", "graphs")
)

PYTORCH = (EAGER, EAGER_LAST)
SLOW = Pace(turns=4, runs=2)
"""For what takes seconds."""


@dataclass(frozen=True)
class Race:
    """Contestants and their work. batch, threads: None for the command line's."""

    name: str
    title: str
    entries: tuple[Entry, ...]
    task: str = "forward"
    precision: str = "fp32"
    size: Size = (500, 500)
    batch: int = 1
    threads: int | None = None
    options: tuple[str, ...] = ()
    pace: Pace = field(default_factory=Pace)


ENGINES = (THIS, ONNXRUNTIME, OPENVINO)

CPU = [
    Race("forward-fp32", "Forward, fp32", (*ENGINES, OPENCV, *PYTORCH)),
    Race("forward-bf16", "Forward, bf16", (THIS, OPENVINO, *PYTORCH), precision="bf16"),
    Race("forward-bvlc", "Forward, fp32, beside BVLC Caffe", (THIS, SPARING, BVLC), pace=SLOW),
    Race("train-fp32", "Training step, fp32", (THIS, *PYTORCH), "train"),
    Race("train-bf16", "Training step, bf16", (THIS, *PYTORCH), "train", "bf16"),
    Race("train-bvlc", "Training step, fp32, beside BVLC Caffe", (THIS, BVLC), "train", pace=SLOW),
    *(Race(f"size-{side}", f"Forward, fp32, {side}×{side}", ENGINES, size=(side, side)) for side in (125, 250, 1000)),
    *(
        Race(f"size-{side}", f"Forward, fp32, {side}×{side}", ENGINES, size=(side, side), pace=SLOW)
        for side in (1500, 2000)
    ),
    *(Race(f"batch-{n}", f"Forward, fp32, batches of {n}", ENGINES, batch=n) for n in (2, 4)),
    *(Race(f"threads-{n}", f"Forward, fp32, {n} thread(s)", ENGINES, threads=n) for n in (1, 2)),
    *(
        Race(f"train-threads-{n}", f"Training step, fp32, {n} thread(s)", (THIS, EAGER_LAST), "train", threads=n)
        for n in (1, 2)
    ),
]

ON_GPU = (THIS, RECORDED, EAGER, EAGER_LAST, COMPILED, GRAPHS)
GPU_PACE = Pace(turns=2, runs=20, warmup=10)
CUDA = [
    *(
        Race(f"{task}-{precision}", f"{title}, {precision}", ON_GPU, task, precision, options=("on_device",))
        for task, title in (("forward", "Forward"), ("train", "Training step"))
        for precision in ("fp32", "tf32", "bf16")
    ),
    Race("forward-host-bf16", "Forward, bf16, NumPy to NumPy", (THIS, EAGER_LAST), precision="bf16"),
    *(
        Race(f"batch-{n}", f"Forward, bf16, batches of {n}", ON_GPU, precision="bf16", batch=n, options=("on_device",))
        for n in (2, 4, 8)
    ),
]
