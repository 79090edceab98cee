// What the app and the contracts use of Android, AndroidX, LiteRT and MediaPipe, in the signatures of
// their documentation, for the compiler alone: nothing here runs. A part for each package.

package android

object Manifest { object permission { const val CAMERA = "android.permission.CAMERA" } }

package android.content

import android.content.res.AssetManager

abstract class Context {
    val assets: AssetManager get() = TODO()
    fun <T> getSystemService(serviceClass: Class<T>): T = TODO()
}
interface DialogInterface { fun interface OnClickListener { fun onClick(dialog: DialogInterface?, which: Int) } }
class ClipData { companion object { fun newPlainText(label: CharSequence?, text: CharSequence?): ClipData = TODO() } }
class ClipboardManager { fun setPrimaryClip(clip: ClipData): Unit = TODO() }

package android.content.pm

object PackageManager { const val PERMISSION_GRANTED = 0 }

package android.content.res

class AssetManager {
    fun open(fileName: String): java.io.InputStream = TODO()
    fun list(path: String): Array<String>? = TODO()
}

package android.app

import android.content.Context
import android.content.DialogInterface
import android.os.Bundle
import android.view.View

open class Activity : Context() {
    fun runOnUiThread(action: Runnable): Unit = TODO()
    fun setContentView(view: View?): Unit = TODO()
    protected open fun onCreate(savedInstanceState: Bundle?): Unit = TODO()
    protected open fun onDestroy(): Unit = TODO()
}
class AlertDialog {
    class Builder(context: Context?) {
        fun setTitle(title: CharSequence?): Builder = TODO()
        fun setView(view: View?): Builder = TODO()
        fun setPositiveButton(text: CharSequence?, listener: DialogInterface.OnClickListener?): Builder = TODO()
        fun setNegativeButton(text: CharSequence?, listener: DialogInterface.OnClickListener?): Builder = TODO()
        fun show(): AlertDialog = TODO()
    }
}

package android.graphics

import java.nio.Buffer

class Bitmap {
    enum class Config { ARGB_8888 }
    val width: Int get() = TODO()
    val height: Int get() = TODO()
    fun copyPixelsFromBuffer(src: Buffer): Unit = TODO()
    fun copyPixelsToBuffer(dst: Buffer): Unit = TODO()
    fun copy(config: Config, isMutable: Boolean): Bitmap = TODO()
    fun getPixels(pixels: IntArray, offset: Int, stride: Int, x: Int, y: Int, width: Int, height: Int): Unit = TODO()
    fun setPixels(pixels: IntArray, offset: Int, stride: Int, x: Int, y: Int, width: Int, height: Int): Unit = TODO()
    companion object {
        fun createBitmap(width: Int, height: Int, config: Config): Bitmap = TODO()
        fun createScaledBitmap(src: Bitmap, dstWidth: Int, dstHeight: Int, filter: Boolean): Bitmap = TODO()
    }
}
class BitmapFactory {
    class Options { var inScaled = true }
    companion object { fun decodeByteArray(data: ByteArray?, offset: Int, length: Int, opts: Options?): Bitmap? = TODO() }
}
class Canvas {
    val width: Int get() = TODO()
    val height: Int get() = TODO()
    fun save(): Int = TODO()
    fun restore(): Unit = TODO()
    fun translate(dx: Float, dy: Float): Unit = TODO()
    fun scale(sx: Float, sy: Float): Unit = TODO()
    fun rotate(degrees: Float): Unit = TODO()
    fun drawColor(color: Int): Unit = TODO()
    fun drawBitmap(bitmap: Bitmap, src: Rect?, dst: RectF, paint: Paint?): Unit = TODO()
    fun drawText(text: String, x: Float, y: Float, paint: Paint): Unit = TODO()
}
object Color {
    const val BLACK = -0x1000000
    const val TRANSPARENT = 0
    fun parseColor(colorString: String): Int = TODO()
    fun rgb(red: Int, green: Int, blue: Int): Int = TODO()
}
class Paint(flags: Int) {
    var color: Int = TODO()
    var textSize: Float = TODO()
    companion object { const val FILTER_BITMAP_FLAG = 2 }
}
class Rect { fun set(left: Int, top: Int, right: Int, bottom: Int): Unit = TODO() }
class RectF { fun set(left: Float, top: Float, right: Float, bottom: Float): Unit = TODO() }

package android.os

class Bundle
object Build {
    val MANUFACTURER: String = TODO()
    val MODEL: String = TODO()
    object VERSION { val RELEASE: String = TODO() }
}
object SystemClock { fun elapsedRealtimeNanos(): Long = TODO() }

package android.util

class Size(width: Int, height: Int)

package android.view

import android.content.Context
import android.graphics.Canvas

class Display { val rotation: Int get() = TODO() }
interface SurfaceHolder {
    fun lockHardwareCanvas(): Canvas? = TODO()
    fun unlockCanvasAndPost(canvas: Canvas)
}
open class View(context: Context?) {
    fun interface OnClickListener { fun onClick(v: View?) }
    val display: Display? get() = TODO()
    var fitsSystemWindows: Boolean = TODO()
    fun setOnClickListener(l: OnClickListener?): Unit = TODO()
}
open class SurfaceView(context: Context?) : View(context) { val holder: SurfaceHolder get() = TODO() }
open class ViewGroup(context: Context?) : View(context) {
    open class LayoutParams(width: Int, height: Int) { companion object { const val MATCH_PARENT = -1 } }
    fun addView(child: View?): Unit = TODO()
    fun addView(child: View?, params: LayoutParams?): Unit = TODO()
}

package android.widget

import android.content.Context
import android.view.View
import android.view.ViewGroup

open class TextView(context: Context?) : View(context) {
    var text: CharSequence? = TODO()
    fun setTextColor(color: Int): Unit = TODO()
}
open class Button(context: Context?) : TextView(context)
open class LinearLayout(context: Context?) : ViewGroup(context) {
    var orientation: Int = TODO()
    class LayoutParams(width: Int, height: Int, weight: Float) : ViewGroup.LayoutParams(width, height)
    companion object { const val VERTICAL = 1 }
}

package androidx.activity

import androidx.activity.result.ActivityResultCallback
import androidx.activity.result.ActivityResultLauncher
import androidx.activity.result.contract.ActivityResultContract
import androidx.lifecycle.LifecycleOwner

open class ComponentActivity : android.app.Activity(), LifecycleOwner {
    fun <I, O> registerForActivityResult(
        contract: ActivityResultContract<I, O>, callback: ActivityResultCallback<O>,
    ): ActivityResultLauncher<I> = TODO()
}

package androidx.activity.result

abstract class ActivityResultLauncher<I> { fun launch(input: I): Unit = TODO() }
fun interface ActivityResultCallback<O> { fun onActivityResult(result: O) }

package androidx.activity.result.contract

abstract class ActivityResultContract<I, O>
class ActivityResultContracts { class RequestPermission : ActivityResultContract<String, Boolean>() }

package androidx.lifecycle

interface LifecycleOwner

package androidx.core.content

import android.content.Context
import java.util.concurrent.Executor

object ContextCompat {
    fun checkSelfPermission(context: Context, permission: String): Int = TODO()
    fun getMainExecutor(context: Context): Executor = TODO()
}

package com.google.common.util.concurrent

import java.util.concurrent.Executor
import java.util.concurrent.Future

interface ListenableFuture<V> : Future<V> { fun addListener(listener: Runnable, executor: Executor) }

package androidx.camera.core

import androidx.camera.core.resolutionselector.ResolutionSelector
import java.nio.ByteBuffer
import java.util.concurrent.Executor

interface Camera
abstract class UseCase
class CameraSelector {
    companion object {
        val DEFAULT_FRONT_CAMERA: CameraSelector = TODO()
        val DEFAULT_BACK_CAMERA: CameraSelector = TODO()
    }
}
interface ImageInfo { val rotationDegrees: Int }
interface ImageProxy : AutoCloseable {
    interface PlaneProxy {
        val rowStride: Int
        val pixelStride: Int
        val buffer: ByteBuffer
    }
    val width: Int
    val height: Int
    val planes: Array<PlaneProxy>
    val imageInfo: ImageInfo
}
class ImageAnalysis : UseCase() {
    fun interface Analyzer { fun analyze(image: ImageProxy) }
    var targetRotation: Int = TODO()
    fun setAnalyzer(executor: Executor, analyzer: Analyzer): Unit = TODO()
    class Builder {
        fun setOutputImageFormat(outputImageFormat: Int): Builder = TODO()
        fun setBackpressureStrategy(strategy: Int): Builder = TODO()
        fun setResolutionSelector(resolutionSelector: ResolutionSelector): Builder = TODO()
        fun build(): ImageAnalysis = TODO()
    }
    companion object {
        const val OUTPUT_IMAGE_FORMAT_RGBA_8888 = 2
        const val STRATEGY_KEEP_ONLY_LATEST = 0
    }
}

package androidx.camera.core.resolutionselector

import android.util.Size

class ResolutionStrategy(boundSize: Size, fallbackRule: Int) {
    companion object { const val FALLBACK_RULE_CLOSEST_HIGHER_THEN_LOWER = 1 }
}
class ResolutionSelector {
    class Builder {
        fun setResolutionStrategy(resolutionStrategy: ResolutionStrategy): Builder = TODO()
        fun build(): ResolutionSelector = TODO()
    }
}

package androidx.camera.lifecycle

import android.content.Context
import androidx.camera.core.Camera
import androidx.camera.core.CameraSelector
import androidx.camera.core.UseCase
import androidx.lifecycle.LifecycleOwner
import com.google.common.util.concurrent.ListenableFuture

class ProcessCameraProvider {
    fun unbindAll(): Unit = TODO()
    fun bindToLifecycle(owner: LifecycleOwner, selector: CameraSelector, vararg useCases: UseCase?): Camera = TODO()
    companion object { fun getInstance(context: Context): ListenableFuture<ProcessCameraProvider> = TODO() }
}

package org.json

class JSONObject() {
    constructor(json: String) : this()
    fun getJSONObject(name: String): JSONObject = TODO()
    fun getJSONArray(name: String): JSONArray = TODO()
    fun getString(name: String): String = TODO()
    fun getInt(name: String): Int = TODO()
    fun getDouble(name: String): Double = TODO()
    fun getBoolean(name: String): Boolean = TODO()
    fun isNull(name: String?): Boolean = TODO()
    fun put(name: String, value: Boolean): JSONObject = TODO()
    fun put(name: String, value: Double): JSONObject = TODO()
    fun put(name: String, value: Int): JSONObject = TODO()
    fun put(name: String, value: Long): JSONObject = TODO()
    fun put(name: String, value: Any?): JSONObject = TODO()
    fun toString(indentSpaces: Int): String = TODO()
}
class JSONArray(copyFrom: Collection<*>) {
    fun length(): Int = TODO()
    fun getJSONObject(index: Int): JSONObject = TODO()
}

package com.google.ai.edge.litert

import android.content.res.AssetManager

enum class Accelerator { NONE, CPU, GPU, NPU }
class LiteRtException(message: String) : Exception(message)
class Environment
class TensorBuffer : AutoCloseable {
    fun writeFloat(data: FloatArray): Unit = TODO()
    fun writeInt8(data: ByteArray): Unit = TODO()
    fun readFloat(): FloatArray = TODO()
    fun readInt8(): ByteArray = TODO()
    override fun close(): Unit = TODO()
}
class CompiledModel : AutoCloseable {
    data class GpuOptions(
        val constantTensorSharing: Boolean? = null, val infiniteFloatCapping: Boolean? = null,
        val allowSrcQuantizedFcConvOps: Boolean? = null, val precision: Precision? = null,
    ) {
        enum class Precision { DEFAULT, FP16, FP32 }
    }
    class Options(internal val accelerators: Set<Accelerator>) {
        constructor(vararg accelerators: Accelerator) : this(setOf(*accelerators))
        var gpuOptions: GpuOptions? = null
    }
    fun createInputBuffers(signatureIndex: Int = 0): List<TensorBuffer> = TODO()
    fun createOutputBuffers(signatureIndex: Int = 0): List<TensorBuffer> = TODO()
    fun run(inputs: List<TensorBuffer>, outputs: List<TensorBuffer>, signatureIndex: Int = 0): Unit = TODO()
    override fun close(): Unit = TODO()
    companion object {
        fun create(
            assetManager: AssetManager, assetName: String, options: Options = TODO(),
            optionalEnv: Environment? = null,
        ): CompiledModel = TODO()
    }
}

package com.google.mediapipe.framework.image

import android.graphics.Bitmap
import java.nio.ByteBuffer

open class MPImage
class BitmapImageBuilder(bitmap: Bitmap) { fun build(): MPImage = TODO() }
object ByteBufferExtractor { fun extract(image: MPImage): ByteBuffer = TODO() }

package com.google.mediapipe.tasks.core

class BaseOptions {
    abstract class Builder {
        abstract fun setModelAssetPath(value: String): Builder
        abstract fun build(): BaseOptions
    }
    companion object { fun builder(): Builder = TODO() }
}

package com.google.mediapipe.tasks.vision.imagesegmenter

import android.content.Context
import com.google.mediapipe.framework.image.MPImage
import com.google.mediapipe.tasks.core.BaseOptions
import java.util.Optional

class ImageSegmenterResult { fun confidenceMasks(): Optional<List<MPImage>> = TODO() }
class ImageSegmenter {
    class ImageSegmenterOptions {
        abstract class Builder {
            abstract fun setBaseOptions(value: BaseOptions): Builder
            abstract fun setOutputConfidenceMasks(value: Boolean): Builder
            abstract fun setOutputCategoryMask(value: Boolean): Builder
            abstract fun build(): ImageSegmenterOptions
        }
        companion object { fun builder(): Builder = TODO() }
    }
    fun segment(image: MPImage): ImageSegmenterResult = TODO()
    companion object {
        fun createFromOptions(context: Context, options: ImageSegmenterOptions): ImageSegmenter = TODO()
    }
}
