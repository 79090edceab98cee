package segmentation.app

import android.content.res.AssetManager
import android.graphics.Color
import android.os.SystemClock
import com.google.ai.edge.litert.*
import com.google.ai.edge.litert.CompiledModel.GpuOptions.Precision
import org.json.JSONObject

private const val MODEL = "model.tflite"

/** The model in the assets, on the GPU if that can run it, else on the CPU; see `model.json`. */
class Segmenter(private val assets: AssetManager) : AutoCloseable {
    private val card = JSONObject(String(read("model.json")))
    private val input = card.getJSONObject("input")
    private val output = card.getJSONObject("output")
    private val stored = quantised(input) // null: float32
    private val given = quantised(output)
    val sha256 = sha256(read(MODEL))
    val precision: String = card.getString("precision")
    val height = output.getInt("height")
    val width = output.getInt("width")
    val channels = output.getInt("channels")
    private val classes = card.getJSONArray("classes").run { List(length()) { getJSONObject(it) } }
    val names = classes.map { it.getString("name") } // by class id, and so are the colours
    val palette = IntArray(256) { id ->
        classes.getOrNull(id)?.let { Color.parseColor(it.getString("color")) } ?: 0
    }
    val shrink = Shrink(input.getInt("width"), input.getInt("height"))
    private val floats = FloatArray(if (stored == null) shrink.rgb.size else 0)
    private val bytes = ByteArray(if (stored == null) 0 else shrink.rgb.size)
    var probabilities = FloatArray(height * width * channels) // of the last frame
    val ids = ByteArray(height * width) // its class ids
    var ms = 0f // what the last frame took, from shrinking to class ids
    var accelerator = "GPU"
    private lateinit var model: CompiledModel
    private lateinit var inputs: List<TensorBuffer>
    private lateinit var outputs: List<TensorBuffer>

    init {
        check(sha256 == card.getString("sha256")) { "model.json is of another file than $MODEL" }
        try { // The GPU alone: with the CPU as well LiteRT would not say which of them it took.
            val options = CompiledModel.Options(Accelerator.GPU)
            val exact = CompiledModel.GpuOptions(precision = Precision.FP32)
            if (precision == "float32") options.gpuOptions = exact // else it computes in float16
            open(options)
        } catch (error: LiteRtException) {
            if (::model.isInitialized) model.close()
            accelerator = "CPU (no GPU: ${error.message})"
            open(CompiledModel.Options(Accelerator.CPU))
        }
    }

    private fun open(options: CompiledModel.Options) {
        model = CompiledModel.create(assets, MODEL, options)
        inputs = model.createInputBuffers()
        outputs = model.createOutputBuffers()
        run() // what cannot run shows now; and the first run is slow
    }

    /** Segments a frame, as [Shrink.run] takes it: fills [probabilities] and [ids]. */
    fun segment(rgba: ByteArray, width: Int, height: Int, rowStride: Int, rotation: Int) {
        val start = SystemClock.elapsedRealtimeNanos()
        shrink.run(rgba, width, height, rowStride, rotation)
        run()
        classIds(probabilities, channels, ids)
        ms = (SystemClock.elapsedRealtimeNanos() - start) / 1e6f
    }

    private fun run() {
        val rgb = shrink.rgb
        if (stored == null) {
            for (i in rgb.indices) floats[i] = (rgb[i].toInt() and 255).toFloat()
            inputs[0].writeFloat(floats)
        } else {
            for (i in rgb.indices) bytes[i] = stored.ofColour[rgb[i].toInt() and 255]
            inputs[0].writeInt8(bytes)
        }
        model.run(inputs, outputs)
        if (given == null) {
            probabilities = outputs[0].readFloat() // a new array: LiteRT offers no other way
        } else {
            val values = outputs[0].readInt8()
            for (i in values.indices) probabilities[i] = given.meaning[values[i].toInt() and 255]
        }
    }

    private fun quantised(of: JSONObject) = if (of.getString("dtype") == "float32") null
    else Quantised(of.getDouble("scale").toFloat(), of.getInt("zero_point"))

    fun read(asset: String): ByteArray = assets.open(asset).use { it.readBytes() }

    override fun close() = model.close()
}
