"""State that Caffe's snapshots do not have, with which a resumed run continues as if it had never stopped.

`<prefix>_iter_<n>.layerstate.json` beside the solverstate holds the state of the engine's random generator, which
Dropout draws from, and the position of every layer that offers `state()` (JSON values) and `set_state(values)`. Of
several solvers, the root writes the file, with the states of all generators; all take the positions from it, and each
its generator's state.
"""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from caffe import device, ranks
from caffe.errors import FormatError
from caffe.formats.atomic import open_atomic
from caffe.layer_types.base import Layer
from caffe.log import log
from caffe.net import Net


def generator_state() -> str:
    """The state of the engine's random generator, as text."""
    return base64.b64encode(device.generator().get_state().numpy().tobytes()).decode()


def write(state_path: str, iteration: int, net: Net, test_nets: Sequence[Net], others: Sequence[str] = ()) -> None:
    """Write the file that belongs to a solverstate.

    others: the generator states of the solvers that train together with this one, the root, in their order.
    """
    content = {
        "iter": iteration,
        "random": {"device": device.generator().device.type, "state": generator_state(), "others": list(others)},
        "nets": {
            name: {layer_name: layer.state() for layer_name, layer in each.layer_dict.items() if _keeps_state(layer)}  # type: ignore[attr-defined]
            for name, each in _nets(net, test_nets).items()
        },
    }
    try:
        text = json.dumps(content, indent=1)
    except (TypeError, ValueError) as error:
        log.warning("a layer's state() is not JSON (%s): %s is not written", error, _path(state_path))
        return
    with open_atomic(_path(state_path)) as file:
        file.write(text.encode())


def restore(state_path: str, iteration: int, net: Net, test_nets: Sequence[Net]) -> dict[str, Any] | None:
    """Restore the generator and the layers; without the file they continue. Raises FormatError if damaged.

    Returns what the file holds, for `apply` in the other solvers; None without the file.
    """
    path = _path(state_path)
    if not path.exists():
        log.info("No %s: layers with an order of their own start afresh", path)
        return None
    try:
        content = json.loads(path.read_bytes())
        if content["iter"] != iteration:
            raise ValueError(f"it is of iteration {content['iter']}, the solverstate of {iteration}")
        apply(content, net, test_nets)
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise FormatError(f"'{path}': unusable: {error}. Remove it to start the layers' order afresh.") from error
    return content


def apply(content: dict[str, Any], net: Net, test_nets: Sequence[Net]) -> None:
    """Bring generator and layers to where such a file's content says."""
    positions = {name: dict(content["nets"].get(name, {})) for name in _nets(net, test_nets)}
    random = content["random"]
    states = [random["state"], *random.get("others", ())]
    if random["device"] == device.generator().device.type and ranks.solver_rank() < len(states):
        state = bytearray(base64.b64decode(states[ranks.solver_rank()], validate=True))
        device.generator().set_state(torch.frombuffer(state, dtype=torch.uint8))
    for name, each in _nets(net, test_nets).items():
        for layer_name, values in positions[name].items():
            _restore_layer(each, layer_name, values)


def _restore_layer(net: Net, name: str, values: Any) -> None:
    layer = net.layer_dict.get(name)
    if layer is None or not _keeps_state(layer):
        log.warning("layer '%s': no layer here takes its saved position", name)
        return
    try:
        layer.set_state(values)  # type: ignore[attr-defined]
    except ValueError as error:
        log.warning("layer '%s' starts afresh: %s", name, error)


def _keeps_state(layer: Layer) -> bool:
    return callable(getattr(layer, "state", None)) and callable(getattr(layer, "set_state", None))


def _nets(net: Net, test_nets: Sequence[Net]) -> dict[str, Net]:
    return {"train": net, **{f"test {index}": each for index, each in enumerate(test_nets)}}


def _path(state_path: str) -> Path:
    return Path(state_path.removesuffix(".h5").removesuffix(".solverstate") + ".layerstate.json")
