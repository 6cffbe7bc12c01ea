"""What Caffe's tools did around training: pictures to databases, means, features, predictions, what a file holds."""
