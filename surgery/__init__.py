"""Net surgery: parameters of one net made into parameters of another. Plain pycaffe; nets are instances of caffe.Net.

weights.py   transplant: copy what two nets share; convolutionalize: a classifier's fc layers into convolutions
kernels.py   interp: bilinear kernels for deconvolutions
scores.py    expand_score: more classes for a trained score layer
subsampling.py  subsample: a wide layer made smaller
report.py    what a surgery did, and what it left alone
"""

from fcn_caffe.surgery.copy_report import Report
from fcn_caffe.surgery.kernels import interp, upsample_filt
from fcn_caffe.surgery.scores import expand_score
from fcn_caffe.surgery.subsampling import subsample
from fcn_caffe.surgery.transplanting import convolutionalize, transplant

__all__ = ["Report", "convolutionalize", "expand_score", "interp", "subsample", "transplant", "upsample_filt"]
