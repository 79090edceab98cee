package segmentation.app

import android.Manifest.permission.CAMERA
import android.content.pm.PackageManager.PERMISSION_GRANTED
import android.graphics.*
import android.os.Bundle
import android.util.Size
import android.view.SurfaceView
import android.view.ViewGroup.LayoutParams
import android.widget.*
import androidx.activity.ComponentActivity
import androidx.activity.result.contract.ActivityResultContracts.RequestPermission
import androidx.camera.core.*
import androidx.camera.core.resolutionselector.*
import androidx.camera.lifecycle.ProcessCameraProvider
import androidx.core.content.ContextCompat
import java.nio.ByteBuffer
import java.util.concurrent.Executors

/** Shows each camera frame with the mask of that same frame, which so never lags behind. */
class MainActivity : ComponentActivity() {
    private val worker = Executors.newSingleThreadExecutor() // all but the buttons happens on it
    private var segmenter: Segmenter? = null
    private var isFront = false
    private var frames = 0
    private var pixels = ByteBuffer.allocate(0) // made anew when another camera gives other frames
    private var picture = Bitmap.createBitmap(1, 1, Bitmap.Config.ARGB_8888)
    private var mask = picture
    private var argb = IntArray(0)
    private val paint = Paint(Paint.FILTER_BITMAP_FLAG)
    private val part = Rect()
    private val place = RectF()
    private val surface by lazy { SurfaceView(this) }
    private val status by lazy { TextView(this) }
    private val permission = registerForActivityResult(RequestPermission()) { isGranted ->
        if (isGranted) startCamera() else say("The camera is not allowed: allow it in the Settings")
    }

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        val flip = Button(this).apply { text = "Other camera" }
        flip.setOnClickListener { isFront = !isFront; askForCamera() }
        val test = Button(this).apply { text = "Self-test" }
        test.setOnClickListener { worker.execute { segmenter?.let { SelfTest(it, this).show() } } }
        val column = LinearLayout(this).apply { orientation = LinearLayout.VERTICAL }
        column.fitsSystemWindows = true // not below the bars of the system
        column.addView(surface, LinearLayout.LayoutParams(LayoutParams.MATCH_PARENT, 0, 1f))
        column.addView(status)
        column.addView(LinearLayout(this).apply { addView(flip); addView(test) })
        setContentView(column)
        worker.execute {
            attempt("No model: make the app with python tf_converter.py MODEL --app DIR") {
                segmenter = Segmenter(assets)
                runOnUiThread { askForCamera() }
            }
        }
    }

    private fun askForCamera() {
        val isGranted = ContextCompat.checkSelfPermission(this, CAMERA) == PERMISSION_GRANTED
        if (isGranted) startCamera() else permission.launch(CAMERA)
    }

    private fun startCamera() {
        val model = segmenter ?: return
        val side = maxOf(model.shrink.width, model.shrink.height, 480)
        val atLeast = Size(side * 4 / 3, side) // so that frames are shrunk, not enlarged
        val higher = ResolutionStrategy.FALLBACK_RULE_CLOSEST_HIGHER_THEN_LOWER
        val resolution = ResolutionSelector.Builder()
            .setResolutionStrategy(ResolutionStrategy(atLeast, higher)).build()
        val analysis = ImageAnalysis.Builder()
            .setOutputImageFormat(ImageAnalysis.OUTPUT_IMAGE_FORMAT_RGBA_8888)
            .setBackpressureStrategy(ImageAnalysis.STRATEGY_KEEP_ONLY_LATEST)
            .setResolutionSelector(resolution).build()
        val isMirrored = isFront
        analysis.setAnalyzer(worker) { image ->
            surface.display?.let { analysis.targetRotation = it.rotation } // upright on the screen
            image.use { attempt("The model failed") { show(model, it, isMirrored) } }
        }
        val future = ProcessCameraProvider.getInstance(this)
        future.addListener({
            attempt("This camera cannot be opened") {
                val back = CameraSelector.DEFAULT_BACK_CAMERA
                val camera = if (isMirrored) CameraSelector.DEFAULT_FRONT_CAMERA else back
                future.get().unbindAll()
                future.get().bindToLifecycle(this, camera, analysis)
            }
        }, ContextCompat.getMainExecutor(this))
    }

    private fun show(model: Segmenter, image: ImageProxy, isMirrored: Boolean) {
        val plane = image.planes[0]
        val stride = plane.rowStride
        if (picture.width != stride / 4 || picture.height != image.height) {
            pixels = ByteBuffer.allocate(stride * image.height)
            picture = Bitmap.createBitmap(stride / 4, image.height, Bitmap.Config.ARGB_8888)
            mask = Bitmap.createBitmap(model.width, model.height, Bitmap.Config.ARGB_8888)
            argb = IntArray(model.ids.size)
        }
        pixels.clear()
        pixels.put(plane.buffer)
        pixels.clear() // the last row may have come without its padding
        picture.copyPixelsFromBuffer(pixels)
        val rotation = image.imageInfo.rotationDegrees
        model.segment(pixels.array(), image.width, image.height, stride, rotation)
        for (i in argb.indices) argb[i] = model.palette[model.ids[i].toInt() and 255]
        mask.setPixels(argb, 0, model.width, 0, 0, model.width, model.height)
        if (frames++ % 15 == 0) say("${model.accelerator}, ${model.precision}, ${model.ms} ms")
        val canvas = surface.holder.lockHardwareCanvas() ?: return // null: the app is not seen
        draw(canvas, image.width, image.height, rotation, isMirrored)
        paint.textSize = minOf(40f, canvas.height / (model.names.size + 1f)) // all names are seen
        for (id in model.names.indices) {
            if (model.palette[id] == Color.TRANSPARENT) continue // the background
            paint.color = model.palette[id] or Color.BLACK // opaque
            canvas.drawText(model.names[id], 20f, (id + 1) * paint.textSize, paint)
        }
        surface.holder.unlockCanvasAndPost(canvas)
    }

    /** Draws the whole frame, upright, and the mask over it. The model saw it unmirrored. */
    private fun draw(canvas: Canvas, width: Int, height: Int, rotation: Int, isMirrored: Boolean) {
        val isLying = rotation % 180 != 0
        val w = (if (isLying) height else width) / 2f
        val h = (if (isLying) width else height) / 2f
        val scale = minOf(canvas.width / 2 / w, canvas.height / 2 / h)
        canvas.drawColor(Color.BLACK)
        canvas.save()
        canvas.translate(canvas.width / 2f, canvas.height / 2f)
        canvas.scale(if (isMirrored) -scale else scale, scale)
        canvas.rotate(rotation.toFloat())
        part.set(0, 0, width, height) // rows may be longer than the frame is wide
        place.set(-width / 2f, -height / 2f, width / 2f, height / 2f)
        canvas.drawBitmap(picture, part, place, paint)
        canvas.rotate(-rotation.toFloat())
        place.set(-w, -h, w, h)
        canvas.drawBitmap(mask, null, place, paint)
        canvas.restore()
    }

    private fun attempt(what: String, action: () -> Unit) =
        runCatching(action).onFailure { say("$what (${it.message})") }

    private fun say(text: String) = runOnUiThread { status.text = text }

    override fun onDestroy() {
        super.onDestroy()
        worker.execute { segmenter?.close() }
        worker.shutdown()
    }
}
