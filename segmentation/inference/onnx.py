"""Running `.onnx` files with ONNX Runtime."""

from segmentation.inference.runner import one_by_one

FLOAT32 = "tensor(float)"  # what ONNX Runtime calls the type


def read(path, threads=1):
    """Return the `Runner` of an `.onnx` with one input and one output, both float32.

    Args:
        path: of the file.
        threads: that ONNX Runtime may use.

    Raises:
        ImportError: if ONNX Runtime is not installed.
        ValueError: if the file is no such model.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (source,), (target,) = session.get_inputs(), session.get_outputs()
    for each in (source, target):
        if each.type != FLOAT32:
            raise ValueError(f"its {each.name} is a {each.type}, not float32")

    def run_one(image):
        return session.run([target.name], {source.name: image})[0]

    return one_by_one(
        run_one,
        _shape(source),
        _shape(target),
        metadata=dict(session.get_modelmeta().custom_metadata_map),
    )


def _shape(value):
    """Return a shape with None for sides that are not fixed, which have names or nothing."""
    return tuple(side if isinstance(side, int) else None for side in value.shape)
