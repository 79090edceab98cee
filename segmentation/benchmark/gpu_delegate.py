"""What LiteRT's GPU delegate would refuse of a `.tflite`, by the names of its ops.

`tf.lite.experimental.Analyzer` is no help: with `gpu_compatibility=True`, TensorFlow 2.21 says of
every file that it looks compatible, since nothing fills in its list of nodes any more
(tflite/python/analyzer_wrapper/model_analyzer.cc in https://github.com/google-ai-edge/LiteRT).
"""

# For which CheckGpuDelegateCompatibility in tflite/tools/versioning/gpu_compatibility.cc, at
# f67457790 of August 2026, has a case. What it asks of shapes, types and arguments is not here.
HAS_KERNEL = frozenset(
    """
    ABS ADD ADD_N ATAN2 AVERAGE_POOL_2D BATCH_MATMUL BITCAST CAST CEIL CONCATENATION CONV_2D COS
    CUMSUM DENSIFY DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU
    EMBEDDING_LOOKUP EQUAL EXP FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GELU GREATER
    GREATER_EQUAL HARD_SWISH LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR
    LOGISTIC LSTM MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL ONE_HOT PACK PAD
    PADV2 POW PRELU QUANTIZE REDUCE_ALL REDUCE_ANY REDUCE_MAX REDUCE_MIN REDUCE_PROD RELU RELU6
    RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 RIGHT_SHIFT ROUND RSQRT
    SELECT SELECT_V2 SIGN SIN SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE
    SQUARED_DIFFERENCE STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CBRT STABLEHLO_CLAMP
    STABLEHLO_REMAINDER STABLEHLO_SHIFT_LEFT STRIDED_SLICE SUB SUM TANH TILE TOPK_V2 TRANSPOSE
    TRANSPOSE_CONV
    Convolution2DTransposeBias MaxPoolingWithArgmax2D MaxUnpooling2D Resampler
    """.split()
)


def refused(path):
    """Return the names of the ops of a `.tflite` that the GPU delegate has no kernel for.

    An op that it has one for may still be refused, for its shapes, types or arguments.
    """
    return sorted(set(_op_names(path)) - HAS_KERNEL)


def _op_names(path):
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model(str(path))
    for graph in model.subgraphs:
        for op in graph.operators:
            custom = model.operatorCodes[op.opcodeIndex].customCode
            if custom:
                yield custom.decode()
            else:
                yield flatbuffer_utils.opcode_to_name(model, op.opcodeIndex)
