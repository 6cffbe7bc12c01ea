"""caffe._caffe: what BVLC's _caffe.cpp defines."""

from solver_cli.caffe_pb2 import LayerParameter as LayerParameter
from solver_cli.caffe_pb2 import SolverParameter as SolverParameter
from solver_cli.pycaffe.blob import Blob as Blob
from solver_cli.pycaffe.blob import BlobVec as BlobVec
from solver_cli.pycaffe.blob import BlobVec as RawBlobVec  # noqa: F401
from solver_cli.pycaffe.layer import Layer as Layer
from solver_cli.pycaffe.mode import Timer as Timer
from solver_cli.pycaffe.mode import has_nccl as has_nccl
from solver_cli.pycaffe.mode import init_log as init_log
from solver_cli.pycaffe.mode import layer_type_list as layer_type_list
from solver_cli.pycaffe.mode import set_device as set_device
from solver_cli.pycaffe.mode import set_logging_disabled as set_logging_disabled
from solver_cli.pycaffe.mode import set_mode_cpu as set_mode_cpu
from solver_cli.pycaffe.mode import set_mode_gpu as set_mode_gpu
from solver_cli.pycaffe.mode import set_multiprocess as set_multiprocess
from solver_cli.pycaffe.mode import set_random_seed as set_random_seed
from solver_cli.pycaffe.mode import set_solver_count as set_solver_count
from solver_cli.pycaffe.mode import set_solver_rank as set_solver_rank
from solver_cli.pycaffe.mode import solver_count as solver_count
from solver_cli.pycaffe.mode import solver_rank as solver_rank
from solver_cli.pycaffe.mode import write_log as log  # noqa: F401
from solver_cli.pycaffe.net import Net as Net
from solver_cli.pycaffe.several import NCCL as NCCL
from solver_cli.pycaffe.solver import AdaDeltaSolver as AdaDeltaSolver
from solver_cli.pycaffe.solver import AdaGradSolver as AdaGradSolver
from solver_cli.pycaffe.solver import AdamSolver as AdamSolver
from solver_cli.pycaffe.solver import NesterovSolver as NesterovSolver
from solver_cli.pycaffe.solver import RMSPropSolver as RMSPropSolver
from solver_cli.pycaffe.solver import SGDSolver as SGDSolver
from solver_cli.pycaffe.solver import Solver as Solver
from solver_cli.pycaffe.solver import get_solver as get_solver

__version__ = "1.0.0"

BoolVec = DtypeVec = IntVec = LayerVec = NetVec = StringVec = list  # C++'s vectors, which are plain lists here
