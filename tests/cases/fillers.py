"""What a layer's fillers give its parameters, and what they are without one: nothing else is put into them."""

from tests.cases.case import case

IMAGE = (1, 2, 4, 5)
FILLED = "weight_filler { type: 'constant' value: 0.5 } bias_filler { value: -2 }"
SEQUENCES = "values(0,0,1,1,1,1)"


def filled(type: str, body: str, *shapes, **settings):
    return case(type, body, *shapes, params="filled", smooth=False, **settings)


CASES = [
    filled("Convolution", f"convolution_param {{ num_output: 2 kernel_size: 3 {FILLED} }}", IMAGE),
    filled("Convolution", "convolution_param { num_output: 2 kernel_size: 3 }", IMAGE),
    filled("Deconvolution", f"convolution_param {{ num_output: 2 kernel_size: 3 {FILLED} }}", IMAGE),
    filled("Deconvolution", "convolution_param { num_output: 2 kernel_size: 3 }", IMAGE),
    *(
        filled(
            "Deconvolution",
            f"convolution_param {{ num_output: 2 kernel_size: {size} stride: 2 {group} bias_term: false "
            "weight_filler { type: 'bilinear' } }",
            IMAGE,
        )
        for size, group in ((4, "group: 2"), (3, "group: 2"), (5, ""), (7, ""))
    ),
    filled("InnerProduct", f"inner_product_param {{ num_output: 3 {FILLED} }}", (2, 4)),
    filled("InnerProduct", "inner_product_param { num_output: 3 }", (2, 4)),
    filled("Embed", f"embed_param {{ input_dim: 4 num_output: 2 {FILLED} }}", (3,), kinds="labels(4)", backward=False),
    filled("Scale", "scale_param { filler { value: 3 } bias_term: true bias_filler { value: -1 } }", (2, 3, 2)),
    filled("Scale", "scale_param { bias_term: true }", (2, 3, 2)),
    filled("Bias", "bias_param { filler { value: 3 } }", (2, 3, 2)),
    filled("Bias", "", (2, 3, 2)),
    filled("PReLU", "prelu_param { filler { value: 0.1 } }", (2, 3, 2)),
    filled("PReLU", "", (2, 3, 2)),
    filled("BatchNorm", "", (3, 2, 2)),
    *(
        filled(type, f"recurrent_param {{ num_output: 2 {fillers} }}", (3, 2, 2), (3, 2), kinds=["normal", SEQUENCES])
        for type, fillers in (("LSTM", FILLED), ("RNN", FILLED), ("LSTM", ""))
    ),
    filled("Parameter", "parameter_param { shape { dim: 2 dim: 3 } }"),
]
