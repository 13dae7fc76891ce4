import pytest

from caffe import device
from caffe.formats.prototxt import parse
from caffe.log import log
from caffe.proto import caffe_pb2
from caffe.solver import solver_from_message

NET = """
name: "small"
layer { name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param { shape { dim: 4 dim: 3 } shape { dim: 4 }
    data_filler { type: "gaussian" std: 1 } data_filler { type: "constant" value: 1 } } }
layer { name: "hidden" type: "InnerProduct" bottom: "data" top: "hidden"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "drop" type: "Dropout" bottom: "hidden" top: "hidden" }
layer { name: "score" type: "InnerProduct" bottom: "hidden" top: "score" inner_product_param { num_output: 2 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }
"""


@pytest.fixture
def lines(monkeypatch):
    """The messages logged so far."""
    found = []
    monkeypatch.setattr(log.logger, "handle", lambda record: found.append(record.getMessage()))
    return found


@pytest.fixture
def make(tmp_path, monkeypatch):
    """make(settings, net) → a solver in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(device, "_generators", {})

    def make_solver(settings="", net=NET):
        (tmp_path / "net.prototxt").write_text(net)
        param = caffe_pb2.SolverParameter(base_lr=0.1, lr_policy="fixed", max_iter=10, random_seed=5)
        param.snapshot_prefix = "snap/train"
        param.MergeFrom(parse(settings, caffe_pb2.SolverParameter()))
        if not any(param.HasField(field) for field in ("train_net", "net_param")):
            param.net = "net.prototxt"
        return solver_from_message(param)

    return make_solver
