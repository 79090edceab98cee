"""What samples of any layout are written as: one module for each container.

A writer has a `mask_size` (None: of the file), a `target` beside which its unfinished files wait,
a `label_path`, a `tally`, says whether it `needs_label_map`, and is used by `prepare` alone.
"""

from segmentation.data.writers.arrays import ArraysWriter
from segmentation.data.writers.tfrecords import RecordsWriter

FORMATS = {"arrays": ArraysWriter, "tfrecord": RecordsWriter}
