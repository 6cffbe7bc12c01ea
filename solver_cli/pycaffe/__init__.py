"""pycaffe's interface over `solver_cli.Net` and `solver_cli.Solver`: what scripts and Python layers import as `caffe`.

    import solver_cli.pycaffe as caffe        in a script or notebook of one's own
    solver-tools python SCRIPT [ARGS]         for a script that says `import caffe`

See docs/pycaffe.md.
"""

from solver_cli.caffe_pb2 import TEST as TEST
from solver_cli.caffe_pb2 import TRAIN as TRAIN
from solver_cli.pycaffe import _caffe as _caffe
from solver_cli.pycaffe import coord_map as coord_map
from solver_cli.pycaffe import draw as draw
from solver_cli.pycaffe import io as io
from solver_cli.pycaffe import proto as proto
from solver_cli.pycaffe import pycaffe as pycaffe
from solver_cli.pycaffe._caffe import *  # noqa: F403
from solver_cli.pycaffe._caffe import __version__ as __version__
from solver_cli.pycaffe.classifier import Classifier as Classifier
from solver_cli.pycaffe.detector import Detector as Detector
from solver_cli.pycaffe.net_spec import NetSpec as NetSpec
from solver_cli.pycaffe.net_spec import layers as layers
from solver_cli.pycaffe.net_spec import params as params
from solver_cli.pycaffe.net_spec import to_proto as to_proto
from solver_cli.pycaffe.standin import install as install
