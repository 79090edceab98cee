"""What samples of any layout are written as: one module for each container.

A writer has a `mask_size` (None: of the file), a `target` beside which its unfinished files wait,
a `label_path`, a `tally`, and says whether it `needs_label_map` before the first sample. `prepare`
alone calls it, in this order: `require_room(samples, workers)`, before anything is read;
`open(workspace)`; for each sample `open_image`, which returns a `samples.OpenedImage`, and `load`,
static methods that an engine may run in any thread or on another machine, then `add`, in the order
of the samples; `finish(label_map)`; `publish()`, which moves the files and names them; and
`fingerprint()` of what was published.
"""

from segmentation.data.writers.arrays import ArraysWriter
from segmentation.data.writers.tfrecords import RecordsWriter

FORMATS = {"arrays": ArraysWriter, "tfrecord": RecordsWriter}
