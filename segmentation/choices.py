"""The names that options choose from, importable without Keras: `--help` must answer at once."""

LOSSES = ("dice", "crossentropy", "dice+crossentropy", "focal")
OTHER_LOSS_NAMES = {"categorical": "crossentropy", "binary": "crossentropy"}
OPTIMIZERS = {"adamw": 8e-3, "sgd": 0.1}  # and the learning rate that each begins with
SCHEDULES = ("cosine", "progressive", "constant")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
