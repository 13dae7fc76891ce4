"""`caffe train` logs what real Caffe logs, so that parsers of Caffe's logs read it."""

from tests.parity.solver import LOG
from tests.solver import logged


def test_the_lines_are_those_of_real_caffe(tmp_path):
    logged.write(tmp_path)
    logged.assert_same(logged.lines(logged.train(tmp_path)), LOG.read_text().splitlines())
