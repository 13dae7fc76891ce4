"""A score layer grows; its old classes stay what they were."""

import numpy as np
import pytest

from fcn_caffe.surgery import expand_score
from tests.surgery.nets import net


@pytest.mark.parametrize("bias_shape", [(2,), (1, 1, 1, 2)])
def test_old_classes_come_first(bias_shape: tuple[int, ...]) -> None:
    old = net(score=[(2, 3, 1, 1), np.array([5, 6]).reshape(bias_shape)])
    new = net(score5=[np.full((5, 3, 1, 1), 9), np.full(5, 9)])
    expand_score(new, "score5", old, "score")
    weights, bias = (blob.data for blob in new.params["score5"])
    assert (weights[:2] == old.params["score"][0].data).all()
    assert (weights[2:] == 9).all()
    assert bias.tolist() == [5, 6, 9, 9, 9]


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (5, 4, 1, 1)])
def test_what_does_not_fit_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expand_score: parameter 0 of layer 'score' is 2×3×1×1"):
        expand_score(net(new=[shape]), "new", net(score=[(2, 3, 1, 1)]), "score")
