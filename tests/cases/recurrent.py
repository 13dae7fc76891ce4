"""RNN, LSTM and LSTMUnit. What a layer remembers of the forward pass before shows in cases of several passes."""

from functools import partial

from tests.cases.case import case, input_layer, layer, net_case
from tests.cases.parts import net

SIZE = "recurrent_param { num_output: 3 }"
EXPOSED = "recurrent_param { num_output: 3 expose_hidden: true }"
X, CONT, STATIC, STATE = (4, 2, 5), (4, 2), (2, 3), (1, 2, 3)
NEW = "values(0,0,1,1,1,0,1,1)"  # every stream begins anew at the first timestep, the second again at the third
GOES_ON = "values(1,1,1,0,1,1,0,1)"
FRACTIONS = "values(0,0,0.5,1,-1,2,0.25,1)"
FILLERS = "weight_filler { type: 'constant' value: 0.1 } bias_filler { type: 'constant' value: -0.2 }"


def recurrent(type: str, body: str = SIZE, *shapes, kinds=None, **settings):
    shapes = shapes or (X, CONT)
    kinds = kinds or ["normal", NEW, *["normal"] * (len(shapes) - 2)]
    return case(type, body, *shapes, kinds=kinds, **settings)


def goes_on(others: int) -> list[str]:
    return ["normal", GOES_ON] + ["normal"] * others


def both(type: str, states: int):
    """What RNN (one state) and LSTM (two) have in common."""
    of = partial(recurrent, type)
    hidden = [STATE] * states
    exposed = partial(of, EXPOSED, tops=1 + states)
    no_gradient = {"smooth": False}  # an exposed state has no gradient, though the top depends on it
    return [
        of(),
        of(f"recurrent_param {{ num_output: 3 {FILLERS} }}"),
        of("recurrent_param { num_output: 3 debug_info: true }"),
        of("recurrent_param { num_output: 1 }"),
        of(SIZE, (1, 2, 5), (1, 2), kinds=["normal", "zeros"]),
        of(SIZE, (4, 2, 2, 3), CONT),
        of(SIZE, (3, 4, 1), (3, 4), kinds=["normal", "values(0,0,0,0,1,0,1,1)"]),
        of(SIZE, kinds=["normal", FRACTIONS], smooth=type == "RNN"),
        of(SIZE, phase="TEST"),
        of(SIZE, X, CONT, STATIC),
        of(SIZE, X, CONT, (2, 2, 2)),
        of(SIZE, kinds=["normal", GOES_ON], forwards=3),
        of(SIZE, X, CONT, STATIC, kinds=["normal", GOES_ON, "normal"], forwards=2),
        of(SIZE, kinds=["normal", GOES_ON], forwards=2, phase="TEST", id=f"{type}, goes on in TEST"),
        exposed(X, CONT, *hidden),
        of(SIZE, kinds=["normal", GOES_ON], forwards=2, before=[(4, 3, 5), (4, 3)]),
        of(SIZE, kinds=["normal", GOES_ON], forwards=2, before=[(4, 1, 5), (4, 1)]),
        of(SIZE, X, CONT, STATIC, before=[(4, 3, 5), (4, 3), (3, 3)]),
        of(SIZE, before=[(3, 2, 5), (3, 2)], refused="input number of timesteps changed"),
        of(SIZE, before=[(4, 2, 6)], refused="Input size incompatible with inner product parameters."),
        exposed(X, CONT, *hidden, kinds=goes_on(states), **no_gradient),
        exposed(X, CONT, *hidden, kinds=goes_on(states), forwards=2, **no_gradient),
        exposed(X, CONT, STATIC, *hidden, kinds=goes_on(1 + states), **no_gradient),
        of("recurrent_param { }", refused="num_output must be positive"),
        of(SIZE, (4, 2), CONT, refused="axis 2 out of range for 2-D Blob"),
        of(SIZE, (4,), (4,), kinds=["normal", "ones"], refused="bottom[0] must have at least 2 axes"),
        of(SIZE, X, (4, 2, 1), refused="bottom[1] must have exactly 2 axes"),
        of(SIZE, X, (3, 2), refused="T_ == bottom[1]->shape(0) (4 vs. 3)"),
        of(SIZE, X, (4, 3), refused="N_ == bottom[1]->shape(1) (2 vs. 3)"),
        of(SIZE, X, CONT, (3, 3), refused="N_ == bottom[2]->shape(0) (2 vs. 3)"),
        of(SIZE, X, CONT, (2,), refused="axis 1 out of range for 1-D Blob"),
        of(SIZE, X, refused=f"{type} Layer takes at least 2 bottom blob(s) as input.", kinds=["normal"]),
        of(SIZE, X, CONT, STATIC, STATIC, refused=f"{type} Layer takes at most 3 bottom blob(s) as input."),
        of(SIZE, tops=2, refused=f"{type} Layer produces 1 top blob(s) as output."),
        of(EXPOSED, X, CONT, refused=f"{type} Layer takes at least {2 + states} bottom blob(s) as input."),
        of(EXPOSED, X, CONT, *hidden, refused=f"{type} Layer produces {1 + states} top blob(s) as output."),
        exposed(
            X, CONT, *[(1, 2, 4)] * states, refused="shape mismatch - recur_input_blobs_[0]: 1 2 3 (6) vs. bottom[2]"
        ),
        of(
            SIZE + " propagate_down: true propagate_down: true loss_weight: 1",
            refused="Cannot backpropagate to sequence indicators.",
        ),
    ]


UNIT = ((1, 2, 3), (1, 2, 12), (1, 2))
unit = partial(case, "LSTMUnit", tops=2)
ON = ["normal", "normal", "ones"]

LSTM_UNIT = [
    unit("", *UNIT, kinds=["normal", "normal", "values(0,1)"]),
    unit("", *UNIT, kinds=ON),
    unit("", *UNIT, kinds=["normal", "normal", "zeros"]),
    unit("", *UNIT, kinds=["normal", "normal", "values(0.5,2)"], smooth=False),
    unit("", *UNIT, kinds=["normal", "values(-100,100,0,20,-20)", "ones"], smooth=False),
    unit("", (1, 5, 1), (1, 5, 4), (1, 5), kinds=ON, phase="TEST"),
    unit("", (1, 2, 3, 1), (1, 2, 12), (1, 2), kinds=ON, refused="3 == bottom[i]->num_axes() (3 vs. 4)"),
    unit("", (1, 2, 3), (1, 2, 12), (1, 2, 1), kinds=ON, refused="2 == bottom[i]->num_axes() (2 vs. 3)"),
    unit("", (2, 2, 3), (1, 2, 12), (1, 2), kinds=ON, refused="1 == bottom[i]->shape(0) (1 vs. 2)"),
    unit("", (1, 2, 3), (1, 3, 12), (1, 2), kinds=ON, refused="num_instances == bottom[i]->shape(1) (2 vs. 3)"),
    unit("", (1, 2, 3), (1, 2, 11), (1, 2), kinds=ON, refused="4 * hidden_dim_ == bottom[1]->shape(2) (12 vs. 11)"),
    unit("", *UNIT[:2], kinds=ON[:2], refused="LSTMUnit Layer takes 3 bottom blob(s) as input."),
    case("LSTMUnit", "", *UNIT, kinds=ON, refused="LSTMUnit Layer produces 2 top blob(s) as output."),
    unit(
        "propagate_down: true propagate_down: true propagate_down: true loss_weight: 1 loss_weight: 1",
        *UNIT,
        kinds=ON,
        refused="Cannot backpropagate to sequence indicators.",
    ),
]

CASES = [
    *both("RNN", 1),
    *both("LSTM", 2),
    *LSTM_UNIT,
    net_case(
        "LSTM between layers",
        net(
            input_layer("x", X),
            input_layer("cont", CONT),
            layer("in", "InnerProduct", ["x"], ["in"], "inner_product_param { num_output: 3 axis: 2 }"),
            layer("lstm", "LSTM", ["in", "cont"], ["h"], SIZE),
            layer("out", "InnerProduct", ["h"], ["out"], "inner_product_param { num_output: 2 axis: 2 }"),
            layer("sum", "Reduction", ["out"], ["sum"], "loss_weight: 1"),
        ),
        kinds={"cont": NEW},
        force_backward=False,
    ),
]
