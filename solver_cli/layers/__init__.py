"""Compute layers: one file a family, in the groups of Caffe's layer catalogue; importing this package registers them all."""
