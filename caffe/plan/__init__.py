"""The plan: how a net computes what its layers say, faster. `CAFFE_PLAN=plain` in the environment turns all of it off.

capabilities.py which of these ways work on this machine, with this torch
border.py       maps that leave out the rows and columns of a wide border, which are all alike
elision.py      which layers of a net compute on such maps
ways.py         the ways to convolve, in one table: torch's own, and
    matrix.py       products of matrices, where there are few positions
    pointwise.py    products of matrices, for 1 × 1 kernels
    winograd.py     a quarter or a third of the multiplications, for 3 × 3 to 7 × 7 kernels in wide layers
    filtering.py    the numbers behind that
    strips.py       the gradients of large maps, a strip of rows at a time
    gradients.py    what winograd.py and strips.py share
    packed.py       weights laid out once, as oneDNN multiplies them
pooling.py      max pooling a few rows at a time, or by slices
neighbours.py   sums over neighbouring channels by slices
parameter.py    what they ask of a layer's parameter
rows.py         the bands of rows that all these take
relu.py         the gradient of a ReLU in one pass
upsampling.py   a fixed bilinear deconvolution as two products
replay.py       on a GPU, a whole pass launched at once, where CAFFE_GRAPHS=1 asks for it
pool.py         the memory of a net's own activations, kept from pass to pass
memory.py       memory that lasts, in mappings of its own
threads.py      how many threads a pass takes
"""
