"""Trains a variant in plain PyTorch, as a control: the same start, images, order, recipe and scoring.

    python -m benchmarks.control voc7-fcn32s --seed 1                 writes out/control/voc7-fcn32s-1/
    python -m benchmarks.control voc7-fcn32s --seed 1 --resume        goes on from its newest state
    python -m benchmarks.control voc7-fcn16s --seed 1 --weights out/control/voc7-fcn32s-1/train.caffemodel
    python -m benchmarks.control voc7-fcn8s-atonce --compare 5        both side by side without dropout: equal losses

The net (fcn_torch.py) and the training (here and caffe_sgd.py) share no code with the engine. Only the data layer, the
settings in solvers/ and nets/, and the metrics are the same. Its score should differ from that of fcn solve by no more
than two seeds of one of them do.
"""

import argparse
import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

import caffe
from benchmarks.caffe_sgd import CaffeSgd, multipliers
from benchmarks.fcn_torch import Fcn, FcnSqueezeNet, FcnVgg16
from caffe.formats import caffemodel, prototxt, weight_files
from caffe.proto import caffe_pb2
from caffe.solver import solver_from_message
from fcn_caffe import program
from fcn_caffe.net_spec.nets import Variant
from fcn_caffe.progress import progress
from fcn_caffe.scoring import metrics
from fcn_caffe.scoring.score_table import report
from fcn_caffe.training.initial import initialise
from fcn_caffe.training.score_history import read_scores, write_scores
from fcn_caffe.variants import stages
from fcn_caffe.variants.customise import Catalogue, everything

FOLDER = Path("out/control")
SAVE_EVERY = 100
TOLERANCE = 1e-4
"""How far a loss may be from the engine's, relative to it."""


class Images:
    """The images and labels of one of a variant's nets, in the order of its data layer."""

    def __init__(self, net_file: str, phase: int, device: str):
        message = prototxt.read_net(net_file)
        del message.layer[1:]
        message.state.phase = phase
        self.net, self.device = caffe.Net.from_message(message), device

    def __len__(self) -> int:
        """How many images the split has."""
        return len(self.net.layers[0].indices)

    def next(self) -> tuple[Tensor, Tensor]:
        """An image, 1×3×H×W, and its label, 1×H×W."""
        self.net.forward()
        image, label = (torch.from_numpy(self.net.blobs[name].data.copy()) for name in ("data", "label"))
        return image.to(self.device), label[:, 0].long().to(self.device)


class Control:
    """A variant's training in PyTorch."""

    def __init__(self, row: Variant, nets: Catalogue, start: list[Path], device: str, dropout: float = 0.5):
        self.solver = prototxt.read_solver(nets.solver_file(row))
        train_file = nets.net_file(row, row.phases[0])
        self.model = model_of(row, dropout)
        for path in start:
            self.model.load({layer.name: layer.blobs for layer in weight_files.read(path)})
        self.model.to(device)
        factors = multipliers(prototxt.read_net(train_file))
        layers = self.model.convolutions().items()
        self.sgd = CaffeSgd(
            self.solver,
            [
                (parameter, *factor)
                for name, layer in layers
                for parameter, factor in zip((layer.weight, layer.bias), factors[name], strict=True)
            ],
        )
        self.images = Images(train_file, caffe.TRAIN, device)
        self.reduction = "mean" if row.recipe.normalize else "sum"

    def step(self) -> float:
        """One iteration; the loss before it."""
        self.model.train()
        loss = torch.zeros(())
        for _ in range(self.solver.iter_size):
            image, label = self.images.next()
            each = F.cross_entropy(self.model(image), label, ignore_index=255, reduction=self.reduction)
            each.backward()
            loss = loss + each.detach().cpu()
        self.sgd.step()
        return float(loss) / self.solver.iter_size

    @torch.inference_mode()
    def confusion(self, images: Images, classes: int) -> np.ndarray:
        """Of all images of a split: true class × predicted class."""
        self.model.eval()
        hist = np.zeros((classes, classes), np.int64)
        with progress("scoring", "images", len(images)) as advance:
            for _ in range(len(images)):
                image, label = images.next()
                hist += metrics.confusion(label.cpu().numpy(), self.model(image).argmax(1).cpu().numpy(), classes)
                advance()
        return hist

    def save(self, folder: Path) -> None:
        """train.caffemodel, which every tool reads, and state.pt to go on from."""
        net, blobs = caffe_pb2.NetParameter(), []
        for name, layer in self.model.convolutions().items():
            net.layer.add(name=name, type="Convolution")
            blobs.append([(each.detach().cpu().numpy(), None) for each in (layer.weight, layer.bias)])
        caffemodel.write(folder / "train.caffemodel", net, blobs)
        state = {
            "iteration": self.sgd.iteration,
            "model": self.model.state_dict(),
            "history": self.sgd.history,
            "random": torch.get_rng_state(),
        }
        torch.save(state, folder / "state.part")
        (folder / "state.part").replace(folder / "state.pt")

    def resume(self, folder: Path) -> None:
        """Go on where `save` was."""
        state = torch.load(folder / "state.pt", map_location="cpu", weights_only=True)
        self.model.load_state_dict(state["model"])
        for own, saved in zip(self.sgd.history, state["history"], strict=True):
            own.copy_(saved)
        self.sgd.iteration = state["iteration"]
        torch.set_rng_state(state["random"])
        layer = self.images.net.layers[0]
        layer.set_state({**layer.state(), "position": self.sgd.iteration * self.solver.iter_size})


def model_of(row: Variant, dropout: float) -> Fcn:
    """Raises ValueError for a variant that fcn_torch.py has not."""
    head, trunk = row.data.heads[0], row.trunk.name
    if len(row.data.heads) > 1 or row.late or row.learned or row.data.inputs != {"data": 3}:
        raise ValueError(f"{row.name}: the control has one head on one image, upsampled by fixed kernels.")
    settings: dict[str, Any] = {"stride": row.stride, "dropout": dropout, "ending": head.ending}
    if trunk == "vgg16":
        return FcnVgg16(head.classes, at_once=row.at_once, **settings)
    if trunk == "squeezenet_v1.1":
        return FcnSqueezeNet(head.classes, **settings)
    raise ValueError(f"{row.name}: the trunk is {trunk}, the control has vgg16 and squeezenet_v1.1.")


def train(control: Control, row: Variant, nets: Catalogue, folder: Path, options: argparse.Namespace) -> None:
    """To the end, and score."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    if options.resume and (folder / "state.pt").exists():
        control.resume(folder)
    iterations, sgd = options.iterations or row.recipe.iterations, control.sgd
    rows = [] if not sgd.iteration else list(csv.reader((folder / "loss.csv").open()))[1 : sgd.iteration + 1]
    with open(folder / "loss.csv", "w", newline="", buffering=1) as file:
        table = csv.writer(file)
        table.writerows([["iteration", "loss"], *rows])
        with progress(row.name, "iterations", iterations, sgd.iteration) as advance:
            while sgd.iteration < iterations:
                table.writerow([sgd.iteration, control.step()])
                advance()
                if sgd.iteration % SAVE_EVERY == 0 or sgd.iteration == iterations:
                    control.save(folder)
    head = row.data.heads[0]
    hist = control.confusion(Images(nets.net_file(row, row.phases[1]), caffe.TEST, options.device), head.classes)
    entry = {"iteration": sgd.iteration, head.label: metrics.scores(hist).as_dict()}
    write_scores(folder, [*read_scores(folder), entry])
    print(f"{row.name}, control, seed {options.seed}: iteration {sgd.iteration}\n{report(hist)}")


def compare(row: Variant, nets: Catalogue, start: list[Path], iterations: int, device: str) -> bool:
    """Whether the engine's losses without dropout are the control's; prints both."""
    control = Control(row, nets, start, device, dropout=0.0)
    param = prototxt.read_solver(nets.solver_file(row))
    net = prototxt.read_net(param.train_net)
    for layer in net.layer:
        if layer.type == "Dropout":
            layer.dropout_param.dropout_ratio = 0.0
    for name in ("train_net", "test_net", "test_iter"):
        param.ClearField(name)
    param.net_param.CopyFrom(net)
    solver = solver_from_message(param)
    initialise(solver.net, row, nets.rows, start)
    equal = True
    for iteration in range(iterations):
        solver.step(1)
        ours, theirs = solver.smoothed_loss, control.step()
        difference = abs(ours - theirs) / abs(theirs)
        equal &= difference <= TOLERANCE
        print(
            f"iteration {iteration}: engine {ours:.6g}, control {theirs:.6g}, difference {difference:.1e}", flush=True
        )
    return equal


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    parser.add_argument("variant", help="a net of the catalogue, on VGG16 or SqueezeNet")
    parser.add_argument("--seed", type=int, default=1, help="of dropout (default 1)")
    parser.add_argument("--iterations", type=int, help="train up to this iteration (default: the recipe's)")
    parser.add_argument("--weights", nargs="+", type=Path, help="start from these (default: as fcn solve does)")
    parser.add_argument("--resume", action="store_true", help="go on from the newest state, if there is one")
    parser.add_argument("--compare", type=int, metavar="N", help="run N iterations beside the engine's and compare")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    return parser


@program.command
def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    program.quiet(caffe)
    torch.backends.cudnn.allow_tf32 = False
    if options.device == "cuda":
        caffe.set_mode_gpu()
    nets = everything()
    row = nets.find(options.variant)
    start = options.weights or [stages.weights_of(name) for name in row.starts]
    if options.compare:
        return int(not compare(row, nets, start, options.compare, options.device))
    train(Control(row, nets, start, options.device), row, nets, FOLDER / f"{row.name}-{options.seed}", options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
