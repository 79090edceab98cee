import AVFoundation
import SwiftUI

@main
struct SegmentationApp: App {
    @StateObject private var camera = Camera()
    @State private var result: SelfTest.Result?

    var body: some Scene {
        WindowGroup {
            VStack {
                PictureView(picture: camera.picture).onAppear(perform: camera.load)
                camera.classes.filter { $0.argb != 0 }.reduce(Text("")) { words, one in
                    words + Text(one.name + "  ").foregroundColor(one.opaque)
                }
                Text(camera.status)
                HStack {
                    Button("Other camera", action: camera.flip)
                    Button("Self-test") { camera.selfTest { result = $0 } }
                    if let result { Button("Copy JSON") { UIPasteboard.general.string = result.json } }
                }
                if let result { Text(result.words).foregroundStyle(result.passed ? Color.green : .red) }
            }
        }
    }
}

extension Card.Class {
    var opaque: Color {
        let rgb = [16, 8, 0].map { Double(argb >> $0 & 255) / 255 }
        return Color(red: rgb[0], green: rgb[1], blue: rgb[2])
    }
}

struct PictureView: UIViewRepresentable {
    final class LayerView: UIView {
        var picture: Picture?
        override func layoutSubviews() { picture?.preview.frame = bounds }
    }
    let picture: Picture
    func makeUIView(context: Context) -> LayerView {
        let view = LayerView()
        view.picture = picture
        view.layer.addSublayer(picture.preview)
        return view
    }
    func updateUIView(_ view: LayerView, context: Context) {}
}

/// The camera's picture, whole, and the mask over it.
final class Picture {
    let preview = AVCaptureVideoPreviewLayer()
    var isMirrored = false
    private let overlay = CALayer()
    private var pixels: [UnsafeMutablePointer<UInt32>] = [], turn = 0

    init() {
        preview.videoGravity = .resizeAspect
        preview.addSublayer(overlay)
        let still = ["contents", "bounds", "position", "transform"]  // no fading from mask to mask
        overlay.actions = Dictionary(uniqueKeysWithValues: still.map { ($0, NSNull() as CAAction) })
    }

    /// Makes buffers for masks, used in turn: one is on the screen. They live as long as the app.
    func prepare(width: Int, height: Int) {
        pixels = (0..<3).map { _ in .allocate(capacity: width * height) }
    }

    /// Shows the class ids of a frame of this size, in their colours.
    func show(_ model: Segmenter, _ size: CGSize) {
        turn = (turn + 1) % pixels.count
        for (i, id) in model.ids.enumerated() { pixels[turn][i] = model.palette[Int(id)] }
        let bytes = 4 * model.width * model.height
        let data = CGDataProvider(dataInfo: nil, data: pixels[turn], size: bytes) { _, _, _ in }
        let layout = CGBitmapInfo.byteOrder32Little.rawValue | CGImageAlphaInfo.first.rawValue
        let image = CGImage(
            width: model.width, height: model.height, bitsPerComponent: 8, bitsPerPixel: 32,
            bytesPerRow: 4 * model.width, space: CGColorSpaceCreateDeviceRGB(),
            bitmapInfo: CGBitmapInfo(rawValue: layout), provider: data!, decode: nil,
            shouldInterpolate: true, intent: .defaultIntent)
        DispatchQueue.main.async { [self] in
            overlay.setAffineTransform(.identity)
            overlay.frame = AVMakeRect(aspectRatio: size, insideRect: preview.bounds)
            overlay.setAffineTransform(CGAffineTransform(scaleX: isMirrored ? -1 : 1, y: 1))
            overlay.contents = image
        }
    }
}
