"""The plan: faster ways to compute what the layers of a net define. `CAFFE_PLAN=plain` in the environment turns all of
it off.

ways.py            a table of ways to compute, for each operation of caffe/ops; of convolutions:
    winograd.py        a quarter or a third of the multiplications, for 3 × 3 to 7 × 7 kernels in wide layers
    filtering.py       its transforms
    matrix.py          a product of matrices, where there are few positions
    packed.py          weights that are reordered once, as oneDNN multiplies them
    side_by_side.py    learning in bfloat16 on a CPU, with the channels of a pixel side by side
    strips.py          the gradients of large maps, a strip of rows at a time
    own_gradients.py   what winograd.py and strips.py share
    first_pad.py       the smaller pad that elision.py gives a net's first convolution
  and of other operations:
    pooling.py         max pooling a few rows at a time, or by slices
    neighbours.py      sums over neighbouring channels by slices
    relu.py            the gradient of a ReLU in one pass
    upsampling.py      a fixed bilinear deconvolution along rows and columns
capabilities.py    which of these work on this machine, with this torch
elision.py         which layers of a net compute on maps without their constant border
border.py          how short these maps may be
overwriting.py     which layers in place write over their bottoms
pool.py            the memory of a net's own activations, kept from pass to pass
ready.py           small nets: passes over the same shapes as lists of ready calls
    recording.py       one such pass: its calls, and who gets what of them
    recorder.py        what torch computes while layers run, written down
    folding.py         convolutions that take BatchNorm and Scale into their weights
    merging.py         fewer and cheaper calls with the same results
    uses.py            which calls take what another one made
    program.py         calls as one function
replay.py          on a GPU, a whole pass launched at once, where CAFFE_GRAPHS=1 asks for it
threads.py         how many threads a pass takes
node.py            what elision, overwriting and replay ask of a layer's place in its net
rows.py            bands of rows of a map
"""
