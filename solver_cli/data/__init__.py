"""Data layers: one file a kind; importing this package registers them all."""
