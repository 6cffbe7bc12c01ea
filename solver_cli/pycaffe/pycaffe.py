"""caffe.pycaffe: nets and solvers, and what `from caffe.pycaffe import *` has always brought along."""

from collections import OrderedDict as OrderedDict
from itertools import zip_longest as izip_longest  # noqa: F401

import numpy as np  # noqa: F401

from solver_cli.pycaffe import elsewhere
from solver_cli.pycaffe.mode import Timer as Timer
from solver_cli.pycaffe.net import Net as Net
from solver_cli.pycaffe.solver import AdaDeltaSolver as AdaDeltaSolver
from solver_cli.pycaffe.solver import AdaGradSolver as AdaGradSolver
from solver_cli.pycaffe.solver import AdamSolver as AdamSolver
from solver_cli.pycaffe.solver import NesterovSolver as NesterovSolver
from solver_cli.pycaffe.solver import RMSPropSolver as RMSPropSolver
from solver_cli.pycaffe.solver import SGDSolver as SGDSolver

__getattr__ = elsewhere.names(__name__, caffe="solver_cli:pycaffe", six="six")
from solver_cli.pycaffe.several import NCCL as NCCL
