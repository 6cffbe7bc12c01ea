"""Compute layers: one file a family, in the groups of Caffe's layer catalogue; importing this package registers them all."""

from solver_cli.layers import common as common
from solver_cli.layers import convolution as convolution
from solver_cli.layers import inner_product as inner_product
from solver_cli.layers import loss as loss
from solver_cli.layers import neuron as neuron
from solver_cli.layers import normalization as normalization
from solver_cli.layers import ohem as ohem
from solver_cli.layers import pooling as pooling
from solver_cli.layers import proposal as proposal
from solver_cli.layers import rearrange as rearrange
from solver_cli.layers import recurrent as recurrent
from solver_cli.layers import roi as roi
from solver_cli.layers import roi_align as roi_align
from solver_cli.layers import smooth as smooth
from solver_cli.layers import yolo as yolo
from solver_cli.layers import yolo_output as yolo_output
from solver_cli.layers import yolov3 as yolov3
