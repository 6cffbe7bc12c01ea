"""How weights follow from gradients: Caffe's update rules, in one pass over the memory where torch has a kernel for it."""
