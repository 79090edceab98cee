import CoreML
import CryptoKit
import ImageIO
import UIKit

/// What `--parity_kit` wrote: pictures, and the scores that the trained model gave for them.
private struct Manifest: Decodable {
    struct Size: Decodable { let height: Int, width: Int }
    struct Limits: Codable { let max_difference: Float?, mask_iou: Double }
    struct Sample: Decodable { let name: String, image: String, scores: String, sha256: [String: String] }
    let version: Int, precision: String, input: Size, classes: [String], limits: Limits, samples: [Sample]
}

/// Runs the pictures of the kit as the app runs its frames, and compares with the trained model.
final class SelfTest {
    /// What came out: a line to show, and the JSON to copy.
    struct Result { let passed: Bool, words: String, json: String }

    private let model: Segmenter
    private let comparison: Comparison

    init(_ model: Segmenter) {
        (self.model, comparison) = (model, Comparison(channels: model.channels))
    }

    func run() -> Result {
        var json: [String: Any] = [
            "passed": false, "device": SelfTest.device, "ios": UIDevice.current.systemVersion,
            "compute_units": "all", "model": model.card.name, "precision": model.card.precision,
        ]
        let words: String
        do { words = try run(&json) } catch {
            words = "FAILED: \(error.localizedDescription)"
            json["error"] = error.localizedDescription
        }
        let data = try? JSONSerialization.data(withJSONObject: json, options: .prettyPrinted)
        let passed = json["passed"] as? Bool == true
        return Result(passed: passed, words: words, json: String(decoding: data ?? Data(), as: UTF8.self))
    }

    private func run(_ json: inout [String: Any]) throws -> String {
        guard let kit = Bundle.main.url(forResource: "kit", withExtension: nil),
              let data = try? Data(contentsOf: kit.appending(path: "manifest.json"))
        else { throw Problem(errorDescription: "there is no parity kit in this app's folder kit") }
        let manifest = try JSONDecoder().decode(Manifest.self, from: data)
        let names = model.card.classes.map(\.name)
        // A package has no one hash on the phone, where Xcode has compiled it.
        guard manifest.version == 1,
              names.suffix(manifest.classes.count).elementsEqual(manifest.classes),
              manifest.input.width == model.shrink.width, manifest.input.height == model.shrink.height
        else { throw Problem(errorDescription: "the kit is of another model than this app") }
        guard !manifest.samples.isEmpty
        else { throw Problem(errorDescription: "the kit has no pictures") }
        var times: [Double] = []
        for sample in manifest.samples {
            try model.segment(SelfTest.picture(SelfTest.read(kit, sample.image, sample.sha256)))
            times.append(model.milliseconds)
            let expected = try SelfTest.scores(SelfTest.read(kit, sample.scores, sample.sha256))
            guard expected.shape == [model.height, model.width, model.channels]
            else { throw Problem(errorDescription: "\(sample.scores) has another shape") }
            comparison.add(expected.values, flat())
        }
        let time = times.sorted()[times.count / 2], limits = manifest.limits
        let difference = comparison.largestDifference, iou = comparison.iou(confident: true)
        let most = limits.max_difference ?? .infinity
        let passed = difference <= most && iou >= limits.mask_iou  // a NaN fails
        json["passed"] = passed
        json["samples"] = times.count
        // JSON has no NaN.
        json["largest_difference"] = difference.isNaN ? "NaN" as Any : Double(difference)
        json["decided_iou"] = iou
        json["mask_iou"] = comparison.iou(confident: false)
        json["median_ms"] = time
        json["max_difference_limit"] = limits.max_difference.map { $0 as Any } ?? NSNull()
        json["mask_iou_limit"] = limits.mask_iou
        let limit = limits.max_difference.map { "limit \($0)" } ?? "no limit"
        return """
            \(passed ? "PASSED" : "FAILED"): largest difference \(difference) (\(limit)), \
            IoU of confident pixels \(iou) (limit \(limits.mask_iou)), \(Int(time)) ms
            """
    }

    /// The scores of the last picture, row by row.
    private func flat() -> [Float] {
        let steps = model.scores.strides.map(\.intValue), channels = model.channels, width = model.width
        let values = model.scores.dataPointer.assumingMemoryBound(to: Float.self)
        return (0..<model.height * width * channels).map { i in
            let pixel = i / channels
            return values[pixel / width * steps[1] + pixel % width * steps[2] + i % channels * steps[3]]
        }
    }

    private static func read(_ kit: URL, _ name: String, _ hashes: [String: String]) throws -> Data {
        let data = try Data(contentsOf: kit.appending(path: name))
        let hash = SHA256.hash(data: data).map { String(format: "%02x", $0) }.joined()
        guard hash == hashes[name]
        else { throw Problem(errorDescription: "\(name) of the kit was changed") }
        return data
    }

    private static func picture(_ png: Data) throws -> CVPixelBuffer {
        var made: CVPixelBuffer?
        guard let source = CGImageSourceCreateWithData(png as CFData, nil),
              let image = CGImageSourceCreateImageAtIndex(source, 0, nil),
              case let kind = kCVPixelFormatType_32BGRA,
              CVPixelBufferCreate(nil, image.width, image.height, kind, nil, &made) == 0,
              let buffer = made
        else { throw Problem(errorDescription: "a picture of the kit cannot be read") }
        CVPixelBufferLockBaseAddress(buffer, [])
        defer { CVPixelBufferUnlockBaseAddress(buffer, []) }
        let layout = CGBitmapInfo.byteOrder32Little.rawValue | CGImageAlphaInfo.noneSkipFirst.rawValue
        // In the colour space of the picture, so that no value changes.
        let context = CGContext(
            data: CVPixelBufferGetBaseAddress(buffer), width: image.width, height: image.height,
            bitsPerComponent: 8, bytesPerRow: CVPixelBufferGetBytesPerRow(buffer),
            space: image.colorSpace ?? CGColorSpaceCreateDeviceRGB(), bitmapInfo: layout)
        context?.draw(image, in: CGRect(x: 0, y: 0, width: image.width, height: image.height))
        return buffer
    }

    /// Reads a `.npy` file, version 1, of little-endian float32.
    private static func scores(_ data: Data) throws -> (shape: [Int], values: [Float]) {
        let bytes = [UInt8](data)
        guard bytes.count > 10, bytes[1...6].elementsEqual([78, 85, 77, 80, 89, 1]) else {  // NUMPY, 1
            throw Problem(errorDescription: "the scores of the kit are no .npy file of version 1")
        }
        let start = 10 + Int(bytes[8]) + 256 * Int(bytes[9])
        let header = String(decoding: bytes[10..<min(start, bytes.count)], as: UTF8.self)
        guard header.contains("'<f4'"), header.contains("'fortran_order': False"),
              let list = header.range(of: "'shape'")
        else { throw Problem(errorDescription: "the scores of the kit are not float32") }
        let shape = header[list.upperBound...].split { !$0.isNumber }.compactMap { Int($0) }
        guard bytes.count == start + 4 * shape.reduce(1, *)
        else { throw Problem(errorDescription: "a file of the kit is cut off") }
        let values = bytes.withUnsafeBytes { raw in
            stride(from: start, to: bytes.count, by: 4).map { offset -> Float in
                let bits = raw.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
                return Float(bitPattern: UInt32(littleEndian: bits))
            }
        }
        return (shape, values)
    }

    private static let device: String = {
        var system = utsname()
        uname(&system)
        return withUnsafeBytes(of: &system.machine) { name in
            String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
        }
    }()
}

/// Compares scores with those of the trained model over all pictures, as the converter does.
final class Comparison {
    private(set) var largestDifference: Float = 0  // NaN if one is
    private let channels: Int, classes: Int
    private var counts: [[Int]]  // of all pixels, and of the confident ones, by two class ids

    init(channels: Int) {
        (self.channels, classes) = (channels, max(channels, 2))
        counts = Array(repeating: Array(repeating: 0, count: classes * classes), count: 2)
    }

    func add(_ expected: [Float], _ found: [Float]) {
        for (one, other) in zip(expected, found) {
            let difference = abs(one - other)
            if difference > largestDifference || difference.isNaN { largestDifference = difference }
        }
        for start in stride(from: 0, to: expected.count, by: channels) {
            let (theirs, margin) = judge(expected[start..<start + channels])
            let place = theirs * classes + judge(found[start..<start + channels]).id
            counts[0][place] += 1
            if margin >= 0.01 { counts[1][place] += 1 }
        }
    }

    /// The mean over classes of the IoU of the two masks, also over pixels alone where the trained
    /// model is at least 0.01 from another class.
    func iou(confident: Bool) -> Double {
        let matrix = counts[confident ? 1 : 0]
        let ious = (classes - channels..<classes).compactMap { k -> Double? in  // without a background
            let row = (0..<classes).reduce(0) { $0 + matrix[k * classes + $1] }
            let column = (0..<classes).reduce(0) { $0 + matrix[$1 * classes + k] }
            let both = matrix[k * classes + k]
            return row + column > 0 ? Double(both) / Double(row + column - both) : nil
        }
        return ious.isEmpty ? 1 : ious.reduce(0, +) / Double(ious.count)
    }

    /// The class id of a pixel, and how far it is from another class.
    private func judge(_ scores: ArraySlice<Float>) -> (id: Int, margin: Float) {
        let first = scores.startIndex
        if channels == 1 { return (scores[first] > 0.5 ? 1 : 0, abs(scores[first] - 0.5)) }
        var best = first
        for k in scores.indices where scores[k] > scores[best] { best = k }
        let second = scores.indices.filter { $0 != best }.map { scores[$0] }.max() ?? 0
        return (best - first, (scores[best] - second) / 2)
    }
}

extension Segmenter {
    /// How many operations Core ML prefers to run where, in words.
    func devices() async -> String {
        guard #available(iOS 17.4, *),
              let plan = try? await MLComputePlan.load(contentsOf: url, configuration: configuration),
              case .program(let program) = plan.modelStructure else { return "Core ML" }
        let places = program.functions["main"]?.block.operations.compactMap { operation -> String? in
            switch plan.deviceUsage(for: operation)?.preferred {
            case .neuralEngine: return "Neural Engine"
            case .gpu: return "GPU"
            case .cpu: return "CPU"
            default: return nil  // a constant
            }
        }
        let counts = Dictionary((places ?? []).map { ($0, 1) }, uniquingKeysWith: +)
        return counts.map { "\($0) \($1) ops" }.sorted().joined(separator: ", ")
    }
}
