package segmentation.app

import android.app.Activity
import android.app.AlertDialog
import android.content.ClipData
import android.content.ClipboardManager
import android.graphics.BitmapFactory
import android.graphics.Color
import android.os.Build
import android.widget.TextView
import java.nio.ByteBuffer
import org.json.JSONArray
import org.json.JSONObject

private const val KIT = "kit" // the folder that --parity_kit wrote, in the assets
private const val VERSION = 1

/** Runs the pictures of the kit as the app runs its frames, and compares with the trained model. */
class SelfTest(private val model: Segmenter, private val activity: Activity) {
    /** Shows a line in green or red and offers the result as JSON. Takes a while. */
    fun show() {
        val json = JSONObject().put("passed", false)
            .put("device", "${Build.MANUFACTURER} ${Build.MODEL}")
            .put("android", Build.VERSION.RELEASE).put("accelerator", model.accelerator)
            .put("precision", model.precision).put("model_sha256", model.sha256)
        val words = try {
            run(json)
        } catch (error: Exception) {
            json.put("error", error.toString())
            "FAILED: ${error.message}"
        }
        activity.runOnUiThread {
            val line = TextView(activity).apply { text = words }
            line.setTextColor(if (json.getBoolean("passed")) PASSED else FAILED)
            AlertDialog.Builder(activity).setTitle("Self-test").setView(line)
                .setPositiveButton("Copy JSON") { _, _ ->
                    activity.getSystemService(ClipboardManager::class.java)
                        .setPrimaryClip(ClipData.newPlainText("self-test", json.toString(2)))
                }
                .setNegativeButton("Close", null).show()
        }
    }

    private fun run(json: JSONObject): String {
        check("manifest.json" in activity.assets.list(KIT).orEmpty()) {
            "there is no kit in this app; put that of --parity_kit into app/src/main/assets/$KIT"
        }
        val manifest = JSONObject(String(model.read("$KIT/manifest.json")))
        check(manifest.getInt("version") == VERSION) { "the kit is not of version $VERSION" }
        check(manifest.getJSONObject("model").getString("sha256") == model.sha256) {
            "the kit is of another model than this app"
        }
        val samples = manifest.getJSONArray("samples")
        check(samples.length() > 0) { "the kit has no pictures" }
        val comparison = Comparison(model.channels)
        val times = FloatArray(samples.length()) { segment(samples.getJSONObject(it), comparison) }
        times.sort()
        val limits = manifest.getJSONObject("limits")
        val most = if (limits.isNull("max_difference")) Double.POSITIVE_INFINITY
        else limits.getDouble("max_difference")
        val least = limits.getDouble("mask_iou")
        val difference = comparison.largestDifference.toDouble()
        val iou = comparison.confidentIou()
        val passed = difference <= most && iou >= least // a NaN fails
        json.put("passed", passed).put("samples", samples.length()).put("limits", limits)
            .put("largest_difference", if (difference.isNaN()) "NaN" else difference)
            .put("mask_iou", comparison.maskIou()).put("decided_iou", iou)
            .put("median_ms", times[times.size / 2].toDouble())
            .put("classes", JSONArray(model.names))
        return "${if (passed) "PASSED" else "FAILED"} on ${model.accelerator}\n" +
            "largest difference $difference (limit ${if (most.isInfinite()) "none" else most})\n" +
            "mask IoU of confident pixels $iou (limit $least)\n" +
            "${times[times.size / 2]} ms, the median of ${times.size} pictures"
    }

    /** Runs one picture and returns the milliseconds that it took. */
    private fun segment(sample: JSONObject, comparison: Comparison): Float {
        val png = file(sample, "image")
        val options = BitmapFactory.Options().apply { inScaled = false }
        val bitmap = BitmapFactory.decodeByteArray(png, 0, png.size, options)
            ?: error("${sample.getString("image")} cannot be read")
        val rgba = ByteArray(4 * bitmap.width * bitmap.height) // ARGB_8888 lies red first in memory
        bitmap.copyPixelsToBuffer(ByteBuffer.wrap(rgba))
        model.segment(rgba, bitmap.width, bitmap.height, 4 * bitmap.width, 0)
        val expected = readScores(file(sample, "scores"))
        val shape = listOf(model.height, model.width, model.channels)
        check(expected.shape == shape) { "the kit has scores of ${expected.shape}, not of $shape" }
        comparison.add(expected.values, model.probabilities)
        return model.ms
    }

    private fun file(sample: JSONObject, key: String): ByteArray {
        val name = sample.getString(key)
        val bytes = model.read("$KIT/$name")
        check(sha256(bytes) == sample.getJSONObject("sha256").getString(name)) {
            "$name of the kit was changed"
        }
        return bytes
    }

    private companion object {
        val PASSED = Color.rgb(0, 128, 0)
        val FAILED = Color.rgb(192, 0, 0)
    }
}
