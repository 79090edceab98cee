package segmentation.app

import kotlin.math.*

// What happens to pixels before and after the model. No Android class is used here: the tests of
// the toolkit run this file and compare it with what training and evaluation do.

private const val BITS = 22 // of a weight, as in Pillow's Resample.c

/**
 * Turns a frame upright and stretches it to the model's input, antialiased: to the bit as Pillow's
 * `BILINEAR`, which resized the training images. Each pixel is a triangle-weighted mean.
 */
class Shrink(val width: Int, val height: Int) {
    /** The upright image: red, green and blue of each pixel, row by row from the top. */
    val rgb = ByteArray(3 * width * height)
    private var across = Axis(1, 1)
    private var down = Axis(1, 1)
    private var rows = ByteArray(0) // all rows of the upright frame, stretched across

    /**
     * Fills [rgb] from a frame as it is stored: 4 bytes a pixel, first red, green and blue, and
     * [rowStride] bytes from row to row. [rotation], clockwise degrees, is what makes it upright.
     */
    fun run(rgba: ByteArray, frameWidth: Int, frameHeight: Int, rowStride: Int, rotation: Int) {
        val isLying = rotation % 180 != 0
        val wide = if (isLying) frameHeight else frameWidth
        val high = if (isLying) frameWidth else frameHeight
        if (rows.size != 3 * width * high || across.from != wide) { // first, or turned
            across = Axis(wide, width)
            down = Axis(high, height)
            rows = ByteArray(3 * width * high)
        }
        val column = step(rotation, rowStride)
        val row = step((rotation + 270) % 360, rowStride)
        // Where the upright image begins in the frame.
        val start = maxOf(-column, 0) * (wide - 1) + maxOf(-row, 0) * (high - 1)
        for (y in 0 until high) across.run(rgba, start + y * row, column, rows, 3 * y * width, 3)
        for (x in 0 until width) down.run(rows, 3 * x, 3 * width, rgb, 3 * x, 3 * width)
    }

    /** How far the pixel to the right lies, in bytes, in a frame that is to be turned. */
    private fun step(rotation: Int, rowStride: Int) = when (rotation) {
        0 -> 4
        90 -> -rowStride
        180 -> -4
        270 -> rowStride
        else -> throw IllegalArgumentException("a frame cannot be turned by $rotation degrees")
    }

    private class Axis(val from: Int, val to: Int) {
        private val scale = from.toDouble() / to
        private val radius = maxOf(scale, 1.0)
        private val most = 2 * ceil(radius).toInt() + 1
        private val first = IntArray(to) { maxOf(((it + 0.5) * scale - radius + 0.5).toInt(), 0) }
        private val end = IntArray(to) { minOf(((it + 0.5) * scale + radius + 0.5).toInt(), from) }
        private val weights = IntArray(to * most)

        init {
            for (i in 0 until to) {
                val exact = DoubleArray(end[i] - first[i]) {
                    maxOf(1 - abs((it + first[i] - (i + 0.5) * scale + 0.5) * (1 / radius)), 0.0)
                }
                val sum = exact.sum()
                for (k in exact.indices) {
                    weights[i * most + k] = (exact[k] / sum * (1 shl BITS) + 0.5).toInt()
                }
            }
        }

        /** Stretches pixels that are [step] bytes apart into ones that are [stride] apart. */
        fun run(source: ByteArray, start: Int, step: Int, into: ByteArray, at: Int, stride: Int) {
            for (i in 0 until to) {
                for (channel in 0 until 3) {
                    var sum = 1 shl (BITS - 1) // half, so that the shift rounds
                    var pixel = start + first[i] * step + channel
                    for (k in i * most until i * most + end[i] - first[i]) {
                        sum += (source[pixel].toInt() and 255) * weights[k]
                        pixel += step
                    }
                    into[at + i * stride + channel] = (sum shr BITS).toByte()
                }
            }
        }
    }
}

/** Numbers that a tensor stores as unsigned bytes: each means `(byte - zeroPoint) * scale`. */
class Quantised(scale: Float, zeroPoint: Int) {
    val meaning = FloatArray(256) { (it - zeroPoint) * scale }
    val ofColour = ByteArray(256) { // raw 0..255: the model normalises them
        (Math.rint((it / scale).toDouble()).toInt() + zeroPoint).coerceIn(0, 255).toByte()
    }
}

/**
 * Fills [ids] with the class id of each pixel. [probabilities] has [channels] a pixel: a single one
 * gives 1 above 0.5, else 0; several give the most probable, the first of equals.
 */
fun classIds(probabilities: FloatArray, channels: Int, ids: ByteArray) {
    for (i in ids.indices) {
        var best = 0
        if (channels == 1) best = if (probabilities[i] > 0.5f) 1 else 0
        for (k in 1 until channels) {
            if (probabilities[i * channels + k] > probabilities[i * channels + best]) best = k
        }
        ids[i] = best.toByte()
    }
}
