"""The package that `from caffe.proto import caffe_pb2` names."""

from . import caffe_pb2 as caffe_pb2
