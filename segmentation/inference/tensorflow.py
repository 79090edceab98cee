"""Running frozen graphs (`.pb`) and SavedModels with TensorFlow."""

from segmentation.inference.runner import one_by_one


def read_frozen_graph(path):
    """Return the `Runner` of a frozen graph with one placeholder and the output `output_0`."""
    import tensorflow as tf

    graph = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    (image,) = [node.name for node in graph.node if node.op == "Placeholder"]
    function = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    function = function.prune(f"{image}:0", "output_0:0")
    return one_by_one(
        lambda image: function(tf.constant(image)).numpy(),
        function.inputs[0].shape,
        function.outputs[0].shape,
    )


def read_saved_model(path):
    """Return the `Runner` of a SavedModel with one input and one output."""
    import tensorflow as tf

    model = tf.saved_model.load(str(path))

    signature = model.signatures["serving_default"]
    ((source, spec),) = signature.structured_input_signature[1].items()
    ((target, output),) = signature.structured_outputs.items()

    def run_one(image):
        # Through `model`, since its variables live only as long as something refers to it.
        signature = model.signatures["serving_default"]
        return signature(**{source: tf.constant(image)})[target].numpy()

    return one_by_one(run_one, spec.shape, output.shape)
