"""Nets written in Python: names, wiring, settings, and what is refused."""

import pytest

from caffe.net_spec import Function, NetSpec, Top, assign_proto, param_name_dict, to_proto
from caffe.net_spec import layers as L
from caffe.net_spec import params as P
from caffe.proto import caffe_pb2


def wiring(net):
    """Each layer as "name: bottoms -> tops"."""
    return [f"{layer.name}: {' '.join(layer.bottom)} -> {' '.join(layer.top)}" for layer in net.layer]


def only_layer(top):
    (layer,) = to_proto(top).layer
    return layer


def test_a_spec_names_blobs_and_their_layers():
    n = NetSpec()
    n.data, n.label = L.DummyData(shape=[{"dim": [2, 3]}, {"dim": [2]}], ntop=2)
    n.ip = L.InnerProduct(n.data, num_output=4)
    n["relu"] = L.ReLU(n.ip, in_place=True)
    n.loss = L.SoftmaxWithLoss(n["relu"], n.label)
    assert wiring(n.to_proto()) == [
        "data:  -> data label",
        "ip: data -> ip",
        "relu: ip -> ip",
        "loss: ip label -> loss",
    ]


def test_what_has_no_name_is_numbered_by_type():
    data = L.Input(shape={"dim": [1, 1, 8, 8]})
    first = L.ReLU(L.Convolution(data, num_output=2, kernel_size=3), in_place=True)
    second = L.Convolution(first, num_output=2, kernel_size=3)
    assert wiring(second.to_proto()) == [
        "Input1:  -> Input1",
        "Convolution1: Input1 -> Convolution1",
        "ReLU1: Convolution1 -> Convolution1",
        "Convolution2: Convolution1 -> Convolution2",
    ]


def test_what_a_named_top_needs_comes_before_it():
    n = NetSpec()
    data = L.Input(shape={"dim": [1, 4]})
    n.out = L.Eltwise(L.Exp(data), L.Power(data))
    n.data = data
    assert wiring(n.to_proto()) == [
        "data:  -> data",
        "Exp1: data -> Exp1",
        "Power1: data -> Power1",
        "out: Exp1 Power1 -> out",
    ]


def test_a_layer_of_two_wanted_tops_is_written_once():
    data, label = L.DummyData(ntop=2)
    assert wiring(to_proto(L.ReLU(data), L.ReLU(label))) == [
        "DummyData1:  -> DummyData1 DummyData2",
        "ReLU1: DummyData1 -> ReLU1",
        "ReLU2: DummyData2 -> ReLU2",
    ]


def test_a_layer_without_tops_is_named_by_the_spec_or_numbered():
    n = NetSpec()
    n.data, n.label = L.DummyData(ntop=2)
    n.quiet = L.Silence(n.data, ntop=0)
    assert isinstance(n.quiet, Function)
    assert wiring(n.to_proto())[-1] == "quiet: data -> "
    assert wiring(to_proto(L.Silence(n.label, ntop=0)))[-1] == "Silence1: DummyData2 -> "


def test_one_top_can_be_in_two_specs():
    data = L.Input(shape={"dim": [1]})
    first, second = NetSpec(), NetSpec()
    first.a, second.b = data, data
    assert wiring(first.to_proto()) == ["a:  -> a"]
    assert wiring(second.to_proto()) == ["b:  -> b"]


def test_thousands_of_layers_in_a_row_are_no_problem():
    top = L.Input(shape={"dim": [1]})
    for _ in range(5000):
        top = L.ReLU(top)
    assert len(top.to_proto().layer) == 5001


def test_thirty_diamonds_in_a_row_are_no_problem():
    top = L.Input(shape={"dim": [1]})
    for _ in range(30):
        top = L.Eltwise(L.Exp(top), L.Power(top))
    assert len(top.to_proto().layer) == 91


def test_settings_go_where_they_belong():
    layer = only_layer(
        L.DummyData(
            shape={"dim": 3},
            data_filler={"type": "constant", "value": 2},
            loss_weight=1,
            include={"phase": caffe_pb2.TEST},
            transform_param={"mean_value": [1, 2, 3]},
            propagate_down=(True, False),
        )
    )
    assert [list(shape.dim) for shape in layer.dummy_data_param.shape] == [[3]]
    assert layer.dummy_data_param.data_filler[0].value == 2
    assert list(layer.loss_weight) == [1]
    assert layer.include[0].phase == caffe_pb2.TEST
    assert list(layer.transform_param.mean_value) == [1, 2, 3]
    assert list(layer.propagate_down) == [True, False]


def test_settings_can_be_written_inside_their_message():
    short = only_layer(L.Python(module="m", layer="l", param_str="{}"))
    long = only_layer(L.Python(python_param={"module": "m", "layer": "l", "param_str": "{}"}))
    assert short == long


def test_a_repeated_message_takes_a_list_of_dicts():
    param = only_layer(L.Convolution(param=[{"lr_mult": 1, "decay_mult": 1}, {"lr_mult": 2, "decay_mult": 0}])).param
    assert [(p.lr_mult, p.decay_mult) for p in param] == [(1, 1), (2, 0)]


def test_name_can_be_a_setting():
    layer = only_layer(L.Input(shape={"dim": [1]}, name="input"))
    assert (layer.name, list(layer.top)) == ("input", ["Input1"])


def test_a_type_that_nobody_knows_is_accepted():
    layer = only_layer(L.MyOwn(python_param={"module": "mine"}))
    assert (layer.type, layer.python_param.module) == ("MyOwn", "mine")


def test_constants_of_messages():
    assert P.Pooling.MAX == caffe_pb2.PoolingParameter.MAX
    assert only_layer(L.Pooling(pool=P.Pooling.AVE)).pooling_param.pool == caffe_pb2.PoolingParameter.AVE


def test_stems_of_the_settings_of_types():
    stems = param_name_dict()
    assert (stems["InnerProduct"], stems["LRN"], stems["HDF5Data"]) == ("inner_product", "lrn", "hdf5_data")
    assert "Deconvolution" not in stems


def test_assign_proto_fills_nested_messages():
    net = caffe_pb2.NetParameter()
    assign_proto(net, "layer", [{"name": "a", "convolution_param": {"kernel_size": 3, "weight_filler": {"std": 1}}}])
    assert net.layer[0].convolution_param.kernel_size == [3]
    assert net.layer[0].convolution_param.weight_filler.std == 1


def test_an_unknown_setting_tells_the_layer_and_what_is_close():
    n = NetSpec()
    n.data = L.Input()
    n.conv = L.Convolution(n.data, kernal_size=3)
    with pytest.raises(
        AttributeError, match=r"layer 'conv' \(Convolution\): unknown setting 'kernal_size'.*'kernel_size'\?"
    ):
        n.to_proto()


def test_an_unknown_setting_inside_a_message_tells_what_is_close():
    with pytest.raises(AttributeError, match=r"FillerParameter has no field 'tpye'; did you mean 'type'\?"):
        L.Convolution(weight_filler={"tpye": "xavier"}).to_proto()


def test_a_type_that_borrows_its_settings_needs_their_message():
    with pytest.raises(AttributeError, match=r"convolution_param=dict\(kernel_size=\.\.\.\)"):
        L.Deconvolution(kernel_size=4).to_proto()


def test_an_input_that_is_no_top_is_refused():
    both = L.DummyData(ntop=2)
    with pytest.raises(TypeError, match=r"^Silence input 0 is not a Top \(type is <class 'tuple'>\)$"):
        L.Silence(both, ntop=0)
    assert isinstance(L.Silence(*both, ntop=0), Function)


@pytest.mark.parametrize(("value", "found"), [(L.DummyData(ntop=2), "2 tops"), (3, "a int")])
def test_a_spec_takes_one_top_a_name(value, found):
    with pytest.raises(TypeError, match=f"'data' is given {found}, expected one Top"):
        NetSpec().data = value


def test_a_name_that_is_not_there_is_both_errors():
    n = NetSpec()
    n.data = L.Input()
    for error in (AttributeError, KeyError):
        with pytest.raises(error, match="there is no 'dada' in it; it names data"):
            _ = n.dada
    with pytest.raises(KeyError):
        n["dada"]
    assert not hasattr(n, "dada")


def test_tops_of_a_spec_are_in_order():
    n = NetSpec()
    n.b, n.a = L.DummyData(ntop=2)
    assert list(n.tops) == ["b", "a"]
    assert all(isinstance(top, Top) for top in n.tops.values())
