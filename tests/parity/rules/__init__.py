"""The rules of random nets: how a layer of each type may follow what is there. One that finds no place does nothing."""

from tests.parity.rules import arrange, elements, losses, memory, vision

# How often each is tried, relative to the others.
RULES = [
    (vision.convolution, 6),
    (vision.pooling, 3),
    (vision.spp, 0.5),
    (vision.im2col, 0.5),
    (vision.lrn, 1),
    (vision.crop, 1),
    (elements.activation, 6),
    (elements.function, 2),
    (elements.bounded_function, 1),
    (elements.scale_or_bias, 3),
    (elements.batch_norm, 2),
    (elements.mvn, 1),
    (elements.softmax, 1),
    (memory.inner_product, 4),
    (arrange.eltwise, 3),
    (arrange.concat, 2),
    (arrange.slice_, 2),
    (arrange.split, 0.5),
    (arrange.flatten, 1),
    (arrange.reshape, 1),
    (arrange.tile, 1),
    (arrange.reduction, 0.5),
    (memory.recurrent, 1),
    (memory.lstm_unit, 1),
    (memory.indexed, 2),
    (memory.parameter, 0.3),
    (arrange.silence, 0.3),
    (arrange.without_gradient, 0.3),
    (losses.softmax_loss, 0.5),
    (losses.pair_loss, 0.5),
]
LOSSES = [losses.softmax_loss, losses.pair_loss, losses.weighted_top, losses.contrastive_loss, losses.probability_loss]
