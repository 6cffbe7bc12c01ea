"""Data layers: one file a kind; importing this package registers them all."""

from solver_cli.data import annotated, database, dummy, hdf5, image, image_gt, labelmaps, memory, pairs, video, window

__all__ = ["annotated", "database", "dummy", "hdf5", "image", "image_gt", "labelmaps", "memory", "pairs", "video", "window"]
