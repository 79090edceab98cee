"""The names that options choose from, importable without Keras: `--help` must answer at once."""

LOSSES = ("dice", "crossentropy", "dice+crossentropy", "focal")
OTHER_LOSS_NAMES = {"categorical": "crossentropy", "binary": "crossentropy"}
OPTIMIZERS = {"adamw": 8e-3, "sgd": 0.1}  # and the learning rate that each begins with
SCHEDULES = ("cosine", "progressive", "constant")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
PALETTES = {"palette8": 8, "palette6": 6, "palette4": 4}  # bits of a weight
CORE_ML_PRECISIONS = ("float32", "float16", "int8", *PALETTES)
CORE_ML_OUTPUTS = ("scores", "labels", "image")
CORE_ML_TARGETS = ("iOS15", "iOS16", "iOS17", "iOS18")
