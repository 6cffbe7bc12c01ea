"""The mean of all pictures of a database, number for number as Caffe's compute_image_mean makes it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver_cli import log
from solver_cli.data.database import Database
from solver_cli.data.datum import Datums
from solver_cli.data.source import by
from solver_cli.errors import DataError
from solver_cli.tools.imageset import Watch

TOLD = 10_000  # records between two lines of the log

Mean = NDArray[np.float32]


def mean_of(database: Database, name: str, watch: Watch) -> Mean:
    """The mean picture [channels, height, width]: a sum in float32, record after record, divided by their number.

    All must be of one shape; encoded ones are decoded as they are. Raises DataError.
    """
    datums = Datums(None, "")
    total: Mean | None = None
    count = 0
    for key, value in watch(database.records(), database.count()):
        record = f"record '{key.decode(errors='backslashreplace')}' of {name}"
        datum = datums.parse(value, record)
        picture = datums.picture(datum, record)
        if total is None:
            if datum.encoded:
                log.info("compute_image_mean.cpp:57", "Decoding Datum")
            log.info("compute_image_mean.cpp:70", "Starting iteration")
            total = np.zeros(picture.shape, np.float32)
        if picture.shape != total.shape:
            raise DataError(f"{record} is {by(picture.shape)}, those before it are {by(total.shape)}: a mean needs one size")
        total += picture
        count += 1
        if count % TOLD == 0:
            log.info("compute_image_mean.cpp:95", f"Processed {count} files.")
    database.check()
    assert total is not None  # an empty database is refused when it is opened
    if count % TOLD:
        log.info("compute_image_mean.cpp:101", f"Processed {count} files.")
    return total / np.float32(count)


def channel_means(mean: Mean) -> list[float]:
    """The mean of each channel: a sum in float32, pixel after pixel, as Caffe prints it."""
    pixels = mean.reshape(len(mean), -1)
    return [float(np.cumsum(channel, dtype=np.float32)[-1] / np.float32(channel.size)) for channel in pixels]
