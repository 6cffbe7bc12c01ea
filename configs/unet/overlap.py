"""A Python layer for the test net: how much what is found and what is there overlap."""

import caffe
import numpy as np


class Overlap(caffe.Layer):
    """top = pixels that are a cell in both scores and labels / pixels that are one in either; ignored labels left out."""

    def setup(self, bottom, top):
        if len(bottom) != 2 or bottom[0].channels != 2:
            raise ValueError("needs scores of two classes and labels")

    def reshape(self, bottom, top):
        top[0].reshape()

    def forward(self, bottom, top):
        scores, labels = bottom[0].data, bottom[1].data.reshape(bottom[0].num, *bottom[0].data.shape[2:])
        found, there = scores[:, 1] > scores[:, 0], labels == 1
        found &= labels != 255
        either = np.sum(found | there)
        top[0].data[...] = np.sum(found & there) / either if either else 1

    def backward(self, top, propagate_down, bottom):
        pass
