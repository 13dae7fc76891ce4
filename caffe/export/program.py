"""A net as a program of torch.export: one file with the graph and the weights, which needs no Caffe to run."""

import torch

from caffe.errors import NetError
from caffe.export.check import LIMIT, drawn
from caffe.export.module import plainly, to_module
from caffe.formats.atomic import replacing
from caffe.net import Net


def exported(net: Net) -> torch.export.ExportedProgram:
    """The program, for inputs of the net's present sizes. Raises NetError for a net that is not a function of
    tensors.
    """
    module = to_module(net).eval().requires_grad_()  # no kernel is looked at for being a bilinear one
    inputs = tuple(torch.zeros(net.blobs[name].shape) for name in net.inputs)
    with plainly(), torch.no_grad():
        return torch.export.export(module, inputs, strict=False)


def write(net: Net, path: str) -> str:
    """Write the file, whole or not at all; its largest difference from the engine's results. Raises NetError above 1e-4
    of the largest value.
    """
    program = exported(net)
    inputs = drawn(net, {name: net.blobs[name].shape for name in net.inputs})
    with net.lock:
        for name, values in inputs.items():
            net.blobs[name].data[...] = values
        ours = {name: values.copy() for name, values in net.forward().items() if name not in inputs}
    theirs = program.module()(*(torch.from_numpy(inputs[name]) for name in net.inputs))
    found = theirs if isinstance(theirs, dict) else dict(zip(ours, [theirs], strict=True))
    worst = 0.0
    for name, values in ours.items():
        apart = abs(found[name].detach().numpy() - values).max() if values.size else 0.0
        worst = max(worst, float(apart / (abs(values).max() or 1.0)) if values.size else 0.0)
    if not worst <= LIMIT:
        raise NetError(
            f"export: the program's numbers differ from the engine's by {worst:.1e} of the largest value, expected at "
            f"most {LIMIT:.0e}. Nothing was written. Report the net."
        )
    with replacing(path) as temporary, open(temporary, "wb") as file:
        torch.export.save(program, file)
    return f"{path}: largest difference {worst:.1e} of the largest value"
