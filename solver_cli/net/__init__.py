"""A net: its plan of layers, the module that runs it, and what is known of its blobs."""
