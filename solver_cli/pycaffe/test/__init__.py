"""caffe.test: a folder that holds BVLC's own tests there and nothing to import; ours stand in tests/pycaffe."""
