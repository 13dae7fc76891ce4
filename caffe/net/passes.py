"""Net messages rewritten into net messages, before any layer exists: pure functions, each safe to apply twice.

filter_net       leaves out the layers that this phase, level and stages do not want   (net.cpp: FilterNet)
insert_splits    gives every reader of a blob a copy of its own                       (util/insert_splits.cpp)
"""

from collections import Counter

from caffe.errors import NetError
from caffe.log import log
from caffe.proto import caffe_pb2

_Top = tuple[int, int]  # index of a layer, index of its top


def filter_net(net: caffe_pb2.NetParameter, state: caffe_pb2.NetState) -> caffe_pb2.NetParameter:
    """The net without the layers that `state` excludes.

    A layer with `include` rules stays if it meets one of them; a layer with `exclude` rules stays unless it meets one.
    Raises NetError for a layer with both.
    """
    filtered = caffe_pb2.NetParameter()
    filtered.CopyFrom(net)
    del filtered.layer[:]
    filtered.layer.extend(layer for layer in net.layer if _is_included(layer, state))
    return filtered


def _is_included(layer: caffe_pb2.LayerParameter, state: caffe_pb2.NetState) -> bool:
    if layer.include and layer.exclude:
        raise NetError(
            f"layer '{layer.name}': Specify either include rules or exclude rules; not both. Remove one kind."
        )
    if layer.include:
        return any(_meets(state, rule, layer.name) for rule in layer.include)
    return not any(_meets(state, rule, layer.name) for rule in layer.exclude)


def _meets(state: caffe_pb2.NetState, rule: caffe_pb2.NetStateRule, layer: str) -> bool:
    """Whether every condition of a rule holds: phase, levels, all its stages, none of its not_stages."""
    broken = None
    if rule.HasField("phase") and rule.phase != state.phase:
        broken = f"phase ({state.phase}) differed from the phase ({rule.phase})"
    elif rule.HasField("min_level") and state.level < rule.min_level:
        broken = f"level ({state.level}) is below the min_level ({rule.min_level})"
    elif rule.HasField("max_level") and state.level > rule.max_level:
        broken = f"level ({state.level}) is above the max_level ({rule.max_level})"
    elif missing := [stage for stage in rule.stage if stage not in state.stage]:
        broken = f"did not contain stage '{missing[0]}'"
    elif unwanted := [stage for stage in rule.not_stage if stage in state.stage]:
        broken = f"contained a not_stage '{unwanted[0]}'"
    if broken:
        log.info("The NetState %s specified by a rule in layer %s", broken, layer)
    return broken is None


def insert_splits(net: caffe_pb2.NetParameter) -> caffe_pb2.NetParameter:
    """The net with a Split layer after every top that is read more than once.

    The split of top `i` of a layer is named `<blob>_<layer>_<i>_split`, its tops `…_split_0`, `…_split_1`, in the order
    of the readers. A loss_weight that is not zero counts as the first reader, and moves to the split. A layer that
    writes in place starts a new top of the same name. Raises NetError for a bottom that no earlier layer makes.
    """
    sources = _sources(net)
    losses = _loss_weights(net)
    readers = Counter([*losses, *sources.values()])
    given: Counter[_Top] = Counter(losses.keys())
    split = caffe_pb2.NetParameter()
    split.CopyFrom(net)
    del split.layer[:]
    for index, original in enumerate(net.layer):
        layer = split.layer.add()
        layer.CopyFrom(original)
        for position in range(len(original.bottom)):
            top = sources[index, position]
            if readers[top] > 1:
                layer.bottom[position] = f"{_split_name(net, top)}_{given[top]}"
                given[top] += 1
        for position, blob in enumerate(original.top):
            top = (index, position)
            if readers[top] > 1:
                name = _split_name(net, top)
                tops = [f"{name}_{k}" for k in range(readers[top])]
                new = split.layer.add(name=name, type="Split", bottom=[blob], top=tops)
                if top in losses:
                    new.loss_weight.extend([losses[top]] + [0] * (len(tops) - 1))
                    layer.ClearField("loss_weight")
    return split


def _sources(net: caffe_pb2.NetParameter) -> dict[tuple[int, int], _Top]:
    """(layer, bottom) → the top that it reads: the latest one of its name."""
    latest: dict[str, _Top] = {}
    sources = {}
    for index, layer in enumerate(net.layer):
        for position, blob in enumerate(layer.bottom):
            if blob not in latest:
                raise NetError(
                    f"Unknown bottom blob '{blob}' (layer '{layer.name}', bottom index {position}). "
                    f"The layers before it make: {', '.join(latest) or 'nothing'}."
                )
            sources[index, position] = latest[blob]
        latest.update({blob: (index, position) for position, blob in enumerate(layer.top)})
    return sources


def _loss_weights(net: caffe_pb2.NetParameter) -> dict[_Top, float]:
    """Top → its loss_weight, where one is written and not zero."""
    return {
        (index, position): weight
        for index, layer in enumerate(net.layer)
        for position, (_, weight) in enumerate(zip(layer.top, layer.loss_weight, strict=False))
        if weight
    }


def _split_name(net: caffe_pb2.NetParameter, top: _Top) -> str:
    index, position = top
    return f"{net.layer[index].top[position]}_{net.layer[index].name}_{position}_split"
