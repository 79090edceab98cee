// Where images come from: the camera, files, samples of the server.

const MOST_PIXELS = 16e6; // what every browser's canvas takes; phones take larger photos

export class SourceError extends Error {}

/** The pixels of an image or video frame as RGBA, as they are stored. */
export class Grabber {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.context = this.canvas.getContext("2d", { willReadFrequently: true, alpha: false });
  }

  grab(source, width, height) {
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
    this.context.drawImage(source, 0, 0, width, height);
    return this.context.getImageData(0, 0, width, height).data;
  }
}

/** Decode an image upright, without a change of colours, as training does. */
export async function decode(blob, name) {
  const options = { imageOrientation: "from-image", colorSpaceConversion: "none" };
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, options);
  } catch {
    throw new SourceError(`${name} is no picture that this browser can read. Choose a JPEG or PNG file.`);
  }
  const { width, height } = bitmap;
  if (width * height <= MOST_PIXELS) return bitmap;
  const canvas = document.createElement("canvas");
  const shrink = Math.sqrt(MOST_PIXELS / (width * height));
  canvas.width = Math.floor(width * shrink);
  canvas.height = Math.floor(height * shrink);
  const context = canvas.getContext("2d", { alpha: false });
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return createImageBitmap(canvas);
}

/** Fetch a file of the server; say so in words when the connection is lost. */
export async function fetchFile(path) {
  let response;
  try {
    response = await fetch(path);
  } catch {
    throw new SourceError(`Connection lost: the server did not answer (${path}). Is serve.py still running? Then try again.`);
  }
  if (!response.ok) {
    throw new SourceError(`The server has no ${path} (${response.status}).`);
  }
  try {
    return await response.blob();
  } catch {
    throw new SourceError(`Connection lost while ${path} was loading. Try again.`);
  }
}

const REFUSALS = {
  NotAllowedError: "The camera is not allowed. Allow it in the browser's settings of this page, or choose a picture.",
  NotFoundError: "No camera was found. Connect one, or choose a picture.",
  NotReadableError: "The camera is in use by another program. Close that, or choose a picture.",
};

export class Camera {
  constructor(video) {
    this.video = video;
  }

  /** Whether the browser gives this page a camera at all: only to secure ones. */
  static get isPossible() {
    return Boolean(navigator.mediaDevices?.getUserMedia);
  }

  /** @param {string} facing "user" (front) or "environment" (back). */
  async start(facing) {
    this.stop();
    if (!Camera.isPossible) {
      throw new SourceError(
        "The browser gives a camera only to secure pages (https). Start serve.py with --https, or take or choose a picture.",
      );
    }
    let stream;
    try {
      const size = { width: { ideal: 960 }, height: { ideal: 720 } };
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: facing, ...size } });
    } catch (error) {
      throw new SourceError(REFUSALS[error.name] ?? `The camera cannot be used (${error.message}).`);
    }
    this.video.srcObject = stream;
    stream.getVideoTracks()[0].onended = () => this.onlost?.();
    await this.video.play();
  }

  stop() {
    this.video.srcObject?.getTracks().forEach((track) => track.stop());
    this.video.srcObject = null;
  }

  get isOn() {
    return Boolean(this.video.srcObject);
  }

  /** Wait for the next frame; without one for a second, go on: the camera may have stopped. */
  nextFrame() {
    return new Promise((resolve) => {
      setTimeout(resolve, 1000);
      if (this.video.requestVideoFrameCallback) this.video.requestVideoFrameCallback(resolve);
      else requestAnimationFrame(resolve);
    });
  }
}
