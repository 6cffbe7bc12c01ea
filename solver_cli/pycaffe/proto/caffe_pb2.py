"""The messages and enums of solver_cli.caffe_pb2 under pycaffe's name: the same module object, not a copy."""

import sys

from solver_cli import caffe_pb2
from solver_cli.caffe_pb2 import *  # noqa: F403  (what type checkers see)

sys.modules[__name__] = caffe_pb2
