"""Switches in the environment: CAFFE_PLAN=plain turns all of caffe/plan off, CAFFE_GRAPHS=1 turns CUDA graphs on."""

import os

PLAIN = os.environ.get("CAFFE_PLAN", "") == "plain"
GRAPHS = os.environ.get("CAFFE_GRAPHS", "") == "1"
