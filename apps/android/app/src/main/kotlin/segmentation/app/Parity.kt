package segmentation.app

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.security.MessageDigest
import kotlin.math.abs

// What the self-test compares. Like Pixels.kt it uses no Android class: the tests run it.

/** Probabilities that the trained model gave on the computer, [shape] (h, w, channels). */
class Scores(val shape: List<Int>, val values: FloatArray)

/** Reads a `.npy` file of little-endian float32. */
fun readScores(bytes: ByteArray): Scores {
    val buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN)
    require(bytes.size > 10 && String(bytes, 1, 5) == "NUMPY") { "no .npy file" }
    require(bytes[6].toInt() == 1) { "a .npy file of version ${bytes[6]}, not 1" }
    val length = buffer.getShort(8).toInt() and 0xffff
    val header = String(bytes, 10, length, Charsets.ISO_8859_1)
    require("'<f4'" in header && "'fortran_order': False" in header) { "not float32 in C order" }
    val shape = Regex("""\d+""").findAll(header.substringAfter("'shape'")).map { it.value.toInt() }
    val dimensions = shape.toList()
    buffer.position(10 + length)
    val values = FloatArray(buffer.remaining() / 4)
    buffer.asFloatBuffer().get(values)
    require(values.size == dimensions.fold(1, Int::times)) { "a .npy file that is cut off" }
    return Scores(dimensions, values)
}

fun sha256(bytes: ByteArray): String =
    MessageDigest.getInstance("SHA-256").digest(bytes).joinToString("") { "%02x".format(it) }

/**
 * Compares probabilities with those of the trained model, over all pixels of all images, as the
 * converter does.
 */
class Comparison(private val channels: Int) {
    /** Of all probabilities; NaN if one is. */
    var largestDifference = 0f
        private set
    private val classes = maxOf(channels, 2)
    private val all = Array(classes) { LongArray(classes) }
    private val confident = Array(classes) { LongArray(classes) }

    fun add(expected: FloatArray, found: FloatArray) {
        require(expected.size == found.size) {
            "the model gives ${found.size} values, the kit has ${expected.size}"
        }
        for (i in found.indices) {
            val difference = abs(expected[i] - found[i])
            // A NaN stays: nothing is larger.
            if (difference > largestDifference || difference.isNaN()) largestDifference = difference
        }
        val theirs = ByteArray(expected.size / channels)
        val ours = ByteArray(theirs.size)
        classIds(expected, channels, theirs)
        classIds(found, channels, ours)
        for (i in ours.indices) {
            val row = theirs[i].toInt() and 255
            val column = ours[i].toInt() and 255
            all[row][column]++
            if (margin(expected, i * channels) >= CONFIDENT_MARGIN) confident[row][column]++
        }
    }

    /** The mean over classes of the IoU of the two masks. */
    fun maskIou() = meanIou(all)

    /** The same over pixels where the trained model is at least 0.01 from another class. */
    fun confidentIou() = meanIou(confident)

    private fun margin(values: FloatArray, start: Int): Float {
        if (channels == 1) return abs(values[start] - 0.5f)
        var best = Float.NEGATIVE_INFINITY
        var second = best
        for (k in start until start + channels) {
            if (values[k] > best) {
                second = best
                best = values[k]
            } else if (values[k] > second) {
                second = values[k]
            }
        }
        return (best - second) / 2
    }

    private fun meanIou(matrix: Array<LongArray>): Double {
        val first = classes - channels // the background of a single class is no class
        val ious = (first until classes).mapNotNull { k ->
            val union = matrix[k].sum() + matrix.sumOf { it[k] } - matrix[k][k]
            if (union == 0L) null else matrix[k][k].toDouble() / union
        }
        return if (ious.isEmpty()) 1.0 else ious.average()
    }

    private companion object {
        const val CONFIDENT_MARGIN = 1e-2f
    }
}
