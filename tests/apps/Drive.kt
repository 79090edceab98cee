import java.io.File
import segmentation.app.Comparison
import segmentation.app.Quantised
import segmentation.app.Shrink
import segmentation.app.classIds
import segmentation.app.readScores

/** Does what the lines of script.txt in a folder say, for test_kotlin.py. */
fun main(arguments: Array<String>) {
    val folder = File(arguments[0])
    for (line in File(folder, "script.txt").readLines()) {
        val words = line.split(" ")
        val file = File(folder, words[1])
        val n = words.drop(2).mapNotNull { it.toIntOrNull() }
        val result = File(folder, "${words[1]}.result")
        when (words[0]) {
            "shrink" -> { // the frame's file, the result's size, the frame's size, rowStride, rotation
                val shrink = Shrink(n[0], n[1])
                shrink.run(ByteArray(n[4] * n[3]), n[2], n[3], n[4], 180) // another frame before it
                shrink.run(file.readBytes(), n[2], n[3], n[4], n[5])
                result.writeBytes(shrink.rgb)
            }
            "ids" -> {
                val scores = readScores(file.readBytes())
                val ids = ByteArray(scores.values.size / scores.shape.last())
                classIds(scores.values, scores.shape.last(), ids)
                result.writeBytes(ids)
            }
            "compare" -> { // files of expected and found scores, in turn
                val scores = words.drop(2).map { readScores(File(folder, it).readBytes()) }
                val comparison = Comparison(scores[0].shape.last())
                scores.chunked(2).forEach { (one, two) -> comparison.add(one.values, two.values) }
                result.writeText(comparison.run { "$largestDifference ${maskIou()} ${confidentIou()}" })
            }
            "quantised" -> Quantised(words[2].toFloat(), n.last()).run {
                result.writeText((ofColour.map { it.toInt() and 255 } + meaning.toList()).joinToString(" "))
            }
            "refuse" -> result.writeText(runCatching { readScores(file.readBytes()) }
                .exceptionOrNull()?.message ?: "read")
        }
    }
}
