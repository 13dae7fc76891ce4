"""What trainings and tools write for themselves and read again: scores, positions of layers, tasks."""

from __future__ import annotations

import base64
import json
import random
import tempfile
from pathlib import Path

import numpy as np
import torch

import caffe
from caffe.solver import layer_state
from fcn_caffe.scoring import metrics
from fcn_caffe.training import curves, score_history, trained
from fcn_caffe.variants import tasks
from tests.faults import bytes_of, texts
from tests.faults.child import Input, Reader
from tests.faults.readers import weights

_ENTRY = {"iteration": 2, "label": metrics.scores(np.diag([3, 4])).as_dict()}
_TASK = {"name": "mine", "images": "photos", "labels": "masks", "backbone": "squeezenet", "stride": 8}
_WORDS = ("null", "[]", "{}", "-1", '"x"', "NaN", "Infinity", '"iteration"', '"iter"', "1e999", "[" * 2000, "true")


def _scores() -> list[Input]:
    return [{"scores.json": json.dumps([_ENTRY, {**_ENTRY, "iteration": 4}], indent=1).encode()}]


def _read_scores(folder: Path) -> None:
    score_history.read_scores(folder)


def _positions() -> list[Input]:
    """What a solver of the small net writes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        state = folder / "x.solverstate"
        weights.state(state)
        drawn = torch.Generator().manual_seed(1).get_state().numpy().tobytes()
        random_state = {"device": "cpu", "state": base64.b64encode(drawn).decode()}
        content = {
            "iter": 2,
            "random": random_state,
            "nets": {"train": {"data": {"position": 3, "seed": 4}}, "test 0": {}},
        }
        files = {state.name: state.read_bytes(), "x.layerstate.json": json.dumps(content, indent=1).encode()}
    return [{**files, **weights.solver_files()}]


def _damage_positions(files: Input, draw: random.Random) -> Input:
    text = files["x.layerstate.json"].decode()
    damaged = texts.damaged(text, draw, _WORDS) if draw.random() < 0.8 else bytes_of.damaged(text.encode(), draw)
    return {**files, "x.layerstate.json": damaged}


def _read_positions(folder: Path) -> None:
    solver = caffe.get_solver(str(folder / "solver.prototxt"))
    solver.iter = 2
    layer_state.restore(str(folder / "x.solverstate"), solver.iter, solver.net, solver.test_nets)


def _tasks() -> list[Input]:
    return [{"mine/task.json": json.dumps(_TASK, indent=1).encode()}]


def _read_task(folder: Path) -> None:
    tasks.read(folder / "mine")


def _losses() -> list[Input]:
    lines = ["iteration,loss,loss_per_pixel", *(f"{index},{9.5 - index},{0.5 / (index + 1)}" for index in range(6))]
    return [{"snapshot/mine/loss.csv": "\r\n".join(lines).encode()}]


def _read_losses(folder: Path) -> None:
    curves.read_losses("mine")


def _trainings() -> list[Input]:
    names = {"count": 2, "names": ["sea", "sky"], "colours": {"0": [0, 0, 0], "1": [9, 9, 9]}}
    values = {"name": "mine", "inputs": {"data": 3}, "sees": ["color"], "mean": [104.0, 117, 123], "upright": True}
    return [{"trained.json": json.dumps({**values, "classes": {"score": names}}, indent=1).encode()}]


def _read_training(folder: Path) -> None:
    trained.read(folder)


READERS = (
    Reader("losses", _losses, texts.damage("snapshot/mine/loss.csv", _WORDS), _read_losses),
    Reader("trained", _trainings, texts.damage("trained.json", _WORDS), _read_training),
    Reader("scores", _scores, texts.damage("scores.json", _WORDS), _read_scores),
    Reader("positions", _positions, _damage_positions, _read_positions),
    Reader("task", _tasks, texts.damage("mine/task.json", _WORDS), _read_task),
)
