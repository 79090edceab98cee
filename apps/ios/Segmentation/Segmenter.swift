import CoreML
import QuartzCore

/// What went wrong, in words for the screen.
struct Problem: LocalizedError { let errorDescription: String? }

/// What `coreml_converter.py --app` wrote beside the model.
struct Card: Decodable {
    /// A class id: its name, and its colour as #AARRGGBB; the background is transparent.
    struct Class: Decodable {
        let name: String, color: String
        var argb: UInt32 { UInt32(color.dropFirst(), radix: 16) ?? 0 }
    }
    let name: String, precision: String, classes: [Class]
}

/// The model in the app.
final class Segmenter {
    let card: Card, channels: Int, width: Int, height: Int, shrink: Shrink  // sizes of the output
    private(set) var scores: MLMultiArray  // of the last frame, (1, height, width, channels)
    private(set) var ids: [UInt8]  // its class ids
    let palette: [UInt32]
    private(set) var milliseconds = 0.0  // what it took, from shrinking to class ids
    let url: URL, configuration = MLModelConfiguration()  // of the compiled model
    private let options = MLPredictionOptions()
    private let model: MLModel, input: CVPixelBuffer, provider: MLFeatureProvider

    init() throws {
        guard let url = Bundle.main.url(forResource: "Model", withExtension: "mlmodelc"),
              let json = Bundle.main.url(forResource: "model", withExtension: "json")
        else { throw Problem(errorDescription: "No model: make the app with --app of the converter") }
        self.url = url
        card = try JSONDecoder().decode(Card.self, from: Data(contentsOf: json))
        configuration.computeUnits = .all  // or .cpuAndNeuralEngine, .cpuAndGPU, .cpuOnly
        model = try MLModel(contentsOf: url, configuration: configuration)
        let inputs = model.modelDescription.inputDescriptionsByName
        guard let image = inputs["image"]?.imageConstraint
        else { throw Problem(errorDescription: "\(card.name) takes no image") }
        shrink = Shrink(width: image.pixelsWide, height: image.pixelsHigh)
        let kind = kCVPixelFormatType_32BGRA
        let surface = [kCVPixelBufferIOSurfacePropertiesKey: [:]] as CFDictionary
        var made: CVPixelBuffer?
        CVPixelBufferCreate(nil, shrink.width, shrink.height, kind, surface, &made)
        input = made!  // nil only without memory for one small picture
        let value = MLFeatureValue(pixelBuffer: input)
        provider = try MLDictionaryFeatureProvider(dictionary: ["image": value])
        // The first run is slow, and shows the size of the output.
        let result = try model.prediction(from: provider)
        guard let first = result.featureValue(for: "mask")?.multiArrayValue, first.shape.count == 4,
              first.dataType == .float32, card.classes.count == max(first.shape[3].intValue, 2)
        else { throw Problem(errorDescription: "model.json is not that of \(card.name)") }
        let shape = first.shape.map(\.intValue)
        palette = card.classes.map(\.argb)
        (height, width, channels) = (shape[1], shape[2], shape[3])
        scores = try MLMultiArray(shape: first.shape, dataType: .float32)
        ids = [UInt8](repeating: 0, count: height * width)
        options.outputBackings = ["mask": scores]  // so that no frame makes an array
    }

    /// Segments an upright frame, 32BGRA: fills `scores` and `ids`.
    func segment(_ frame: CVPixelBuffer) throws {
        let start = CACurrentMediaTime()
        shrink.run(frame, into: input)
        let result = try model.prediction(from: provider, options: options)
        scores = result.featureValue(for: "mask")?.multiArrayValue ?? scores
        let steps = scores.strides.map(\.intValue)
        let values = scores.dataPointer.assumingMemoryBound(to: Float.self)
        for i in ids.indices {
            let pixel = values + (i / width * steps[1] + i % width * steps[2])
            var best = channels == 1 && pixel[0] > 0.5 ? 1 : 0
            for k in 0..<channels where channels > 1 && pixel[k * steps[3]] > pixel[best * steps[3]] {
                best = k
            }
            ids[i] = UInt8(best)
        }
        milliseconds = 1000 * (CACurrentMediaTime() - start)
    }
}
