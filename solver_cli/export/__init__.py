"""Ways out and back: deploy nets, state dicts, ONNX, PyTorch source, and weights from them in Caffe's files."""
