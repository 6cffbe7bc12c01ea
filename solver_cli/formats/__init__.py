"""Files of weights and states, byte for byte: binary protobuf, HDF5, JSON of a run, atomic writes."""
