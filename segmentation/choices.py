"""The names that options choose from, importable without Keras: `--help` must answer at once."""

PALETTES = {"palette8": 8, "palette6": 6, "palette4": 4}  # bits of a weight
CORE_ML_PRECISIONS = ("float32", "float16", "int8", *PALETTES)
CORE_ML_OUTPUTS = ("scores", "labels", "image")
CORE_ML_TARGETS = ("iOS15", "iOS16", "iOS17", "iOS18")
