import AVFoundation
import SwiftUI

/// Camera frames to masks. Everything about the model happens on `queue`.
final class Camera: NSObject, ObservableObject, AVCaptureVideoDataOutputSampleBufferDelegate {
    @Published var status = "Loading the model"
    @Published var classes: [Card.Class] = []
    let picture = Picture()
    private let session = AVCaptureSession(), output = AVCaptureVideoDataOutput()
    private let queue = DispatchQueue(label: "model")
    private var segmenter: Segmenter?
    private var frames = 0, isFront = false, devices = "Core ML"
    private var coordinator: AVCaptureDevice.RotationCoordinator?
    private var observation: NSKeyValueObservation?

    func load() {
        queue.async { [self] in
            attempt {
                let loaded = try Segmenter()
                segmenter = loaded
                picture.prepare(width: loaded.width, height: loaded.height)
                DispatchQueue.main.async { [self] in classes = loaded.card.classes }
                askForCamera()
                Task { [self] in
                    let found = await loaded.devices()
                    queue.async { [self] in devices = found }
                }
            }
        }
    }

    func flip() { isFront.toggle(); askForCamera() }

    /// Runs the self-test where the frames run, and hands over its result on the main thread.
    func selfTest(_ done: @escaping (SelfTest.Result) -> Void) {
        queue.async { [self] in
            guard let result = segmenter.map({ SelfTest($0).run() }) else { return }
            DispatchQueue.main.async { done(result) }
        }
    }

    private func askForCamera() {
        AVCaptureDevice.requestAccess(for: .video) { [self] isGranted in
            guard isGranted else { return say("The camera is not allowed: allow it in the Settings") }
            DispatchQueue.main.async { [self] in attempt(start) }
        }
    }

    private func start() throws {
        guard let segmenter else { return }
        let lens = AVCaptureDevice.DeviceType.builtInWideAngleCamera
        guard let device = AVCaptureDevice.default(lens, for: .video, position: isFront ? .front : .back)
        else { throw Problem(errorDescription: "This camera is not there") }
        let input = try AVCaptureDeviceInput(device: device)
        session.beginConfiguration()
        session.inputs.forEach(session.removeInput)
        session.addInput(input)
        let side = max(segmenter.shrink.width, segmenter.shrink.height)  // frames are not enlarged
        session.sessionPreset = side > 720 ? .hd1920x1080 : side > 480 ? .hd1280x720 : .vga640x480
        if session.outputs.isEmpty {
            let key = kCVPixelBufferPixelFormatTypeKey as String
            output.videoSettings = [key: kCVPixelFormatType_32BGRA]
            output.setSampleBufferDelegate(self, queue: queue)  // late frames are left out
            session.addOutput(output)
        }
        session.commitConfiguration()
        picture.preview.session = session
        picture.isMirrored = isFront
        // Frames come upright, as the screen is turned. The preview mirrors the front camera by
        // itself; the model sees it as it is.
        let angle = \AVCaptureDevice.RotationCoordinator.videoRotationAngleForHorizonLevelPreview
        coordinator = AVCaptureDevice.RotationCoordinator(device: device, previewLayer: picture.preview)
        observation = coordinator?.observe(angle, options: [.initial, .new]) { [self] coordinator, _ in
            let degrees = coordinator[keyPath: angle]
            for connection in [picture.preview.connection, output.connection(with: .video)]
            where connection?.isVideoRotationAngleSupported(degrees) == true {
                connection?.videoRotationAngle = degrees
            }
        }
        queue.async { [self] in session.startRunning() }
    }

    func captureOutput(_: AVCaptureOutput, didOutput sample: CMSampleBuffer, from: AVCaptureConnection) {
        guard let segmenter, let frame = CMSampleBufferGetImageBuffer(sample) else { return }
        attempt {
            try segmenter.segment(frame)
            picture.show(segmenter, CVImageBufferGetDisplaySize(frame))
            frames += 1
            guard frames % 15 == 1 else { return }
            say("\(devices), \(segmenter.card.precision), \(Int(segmenter.milliseconds)) ms")
        }
    }

    private func attempt(_ action: () throws -> Void) {
        do { try action() } catch { say(error.localizedDescription) }
    }

    private func say(_ text: String) { DispatchQueue.main.async { [self] in status = text } }
}
