import CoreVideo

private typealias Bytes = UnsafeMutablePointer<UInt8>

/// Stretches a frame to the model's input, antialiased: to the bit as Pillow's `BILINEAR`, which
/// resized the training images. Each pixel is a triangle-weighted mean of those around its centre.
final class Shrink {
    private static let bits = 22  // of a weight, as in Pillow's Resample.c
    let width: Int, height: Int
    private var across = Axis(from: 1, to: 1), down = Axis(from: 1, to: 1)
    private var rows: [UInt8] = []  // all rows of the frame, stretched across

    init(width: Int, height: Int) { (self.width, self.height) = (width, height) }

    /// Fills `target` from `frame`, of any size; both are 32BGRA. The fourth byte is left as it is.
    func run(_ frame: CVPixelBuffer, into target: CVPixelBuffer) {
        let frameWidth = CVPixelBufferGetWidth(frame), frameHeight = CVPixelBufferGetHeight(frame)
        if rows.count != 4 * width * frameHeight || across.from != frameWidth {  // first, or turned
            across = Axis(from: frameWidth, to: width)
            down = Axis(from: frameHeight, to: height)
            rows = [UInt8](repeating: 0, count: 4 * width * frameHeight)
        }
        CVPixelBufferLockBaseAddress(frame, .readOnly)
        CVPixelBufferLockBaseAddress(target, [])
        let source = CVPixelBufferGetBaseAddress(frame)!.assumingMemoryBound(to: UInt8.self)
        let result = CVPixelBufferGetBaseAddress(target)!.assumingMemoryBound(to: UInt8.self)
        let row = CVPixelBufferGetBytesPerRow(frame), resultRow = CVPixelBufferGetBytesPerRow(target)
        rows.withUnsafeMutableBufferPointer { buffer in
            let middle = buffer.baseAddress!
            for y in 0..<frameHeight {
                across.run(source + y * row, step: 4, into: middle + 4 * y * width, stride: 4)
            }
            for x in 0..<width {
                down.run(middle + 4 * x, step: 4 * width, into: result + 4 * x, stride: resultRow)
            }
        }
        CVPixelBufferUnlockBaseAddress(target, [])
        CVPixelBufferUnlockBaseAddress(frame, .readOnly)
    }

    private struct Axis {
        let from: Int, to: Int
        private var first: [Int] = []  // pixel that each result begins with
        private var begin = [0]  // where its weights begin, and where they end
        private var weights: [Int] = []

        init(from: Int, to: Int) {
            (self.from, self.to) = (from, to)
            let scale = Double(from) / Double(to), radius = max(scale, 1)
            for i in 0..<to {
                let center = (Double(i) + 0.5) * scale
                first.append(max(Int(center - radius + 0.5), 0))
                let pixels = first[i]..<min(Int(center + radius + 0.5), from)
                let exact = pixels.map { (pixel: Int) -> Double in
                    let distance = abs((Double(pixel) - center + 0.5) * (1 / radius))
                    return max(1 - distance, 0)
                }
                let sum = exact.reduce(0, +)
                weights += exact.map { Int($0 / sum * Double(1 << Shrink.bits) + 0.5) }
                begin.append(weights.count)
            }
        }

        /// Stretches pixels that are `step` bytes apart into ones that are `stride` apart.
        func run(_ source: Bytes, step: Int, into: Bytes, stride: Int) {
            for i in 0..<to {
                for channel in 0..<3 {
                    var sum = 1 << (Shrink.bits - 1)  // half, so that the shift rounds
                    var pixel = first[i] * step + channel
                    for k in begin[i]..<begin[i + 1] {
                        sum += Int(source[pixel]) * weights[k]
                        pixel += step
                    }
                    into[i * stride + channel] = UInt8(sum >> Shrink.bits)
                }
            }
        }
    }
}
