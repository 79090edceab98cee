// The parity kit: images with what the Keras model makes of them, run here and compared.

import { toMask } from "./masks.js";
import { decode, fetchFile, Grabber, SourceError } from "./sources.js";

// A pixel this near the decision threshold may change class by rounding: as CONFIDENT_MARGIN of
// segmentation/export/parity.py, whose limits are for the others.
const MARGIN = 0.01;
const REPEATS = 5; // runs of each image; the median of their times counts

/**
 * Run the kit of the server.
 *
 * @param {Runner} runner of the model.
 * @param {Uint8Array} bytes of the model's file.
 * @param {(text: string) => void} say shows progress.
 * @returns {Promise<object>} what the page shows and offers to copy: `passed`, `reasons` where it
 *     did not pass, `largest_difference`, `mask_iou`, `decided_iou` of confident pixels alone, which
 *     the limit is for, `milliseconds`, and a row for each sample.
 */
export async function runKit(runner, bytes, say) {
  const kit = JSON.parse(await (await fetchFile("kit/manifest.json")).text());
  const { height, width, outputShape, ids, names } = runner.description;
  const [h, w, channels] = outputShape.slice(1);
  if (kit.version !== 1) throw new SourceError(`The kit is of version ${kit.version}; this page knows version 1.`);
  if (kit.input.height !== height || kit.input.width !== width) {
    throw new SourceError(`The kit is for ${kit.input.width} × ${kit.input.height} pixels, the model takes ${width} × ${height}.`);
  }
  const reasons = [];
  if (kit.classes.join("\n") !== names.join("\n")) {
    reasons.push(`the kit's classes are ${kit.classes.join(", ")}, the model's ${names.join(", ")}`);
  }
  const canHash = Boolean(globalThis.crypto?.subtle);
  if (canHash && (await sha256(bytes)) !== kit.model.sha256) {
    reasons.push(`the model is another file than the kit's ${kit.model.file} (SHA-256 differs)`);
  }
  const matrix = new Confusion(ids.length), decided = new Confusion(ids.length);
  const samples = [];
  for (const [index, sample] of kit.samples.entries()) {
    say(`Self-test: image ${index + 1} of ${kit.samples.length}`);
    const files = {};
    for (const name of [sample.image, sample.scores, sample.mask]) {
      files[name] = await fetchFile(`kit/${name}`);
      if (canHash && (await sha256(await files[name].arrayBuffer())) !== sample.sha256[name]) {
        throw new SourceError(`kit/${name} is damaged: its SHA-256 differs. Write the kit again.`);
      }
    }
    const image = await pixels(files[sample.image], sample.image);
    if (image.width !== width || image.height !== height) {
      throw new SourceError(`kit/${sample.image} is not of the model's size, ${width} × ${height}.`);
    }
    // Of the clamped array of a canvas LiteRT.js makes no tensor.
    const rgb = new Uint8Array(image.data.filter((_, place) => place % 4 !== 3));
    const times = [];
    let probabilities;
    for (let run = 0; run < REPEATS; run++) {
      const before = performance.now();
      probabilities = await runner.run(rgb);
      times.push(performance.now() - before);
    }
    const { shape, values } = readNpy(await files[sample.scores].arrayBuffer(), sample.scores);
    if (shape.join() !== [h, w, channels].join()) {
      throw new SourceError(`kit/${sample.scores} is [${shape}], the model gives [${h},${w},${channels}].`);
    }
    const expected = await pixels(files[sample.mask], sample.mask);
    if (expected.width !== w || expected.height !== h) {
      throw new SourceError(`kit/${sample.mask} is not of the output's size, ${w} × ${h}.`);
    }
    const theirs = expected.data.filter((_, place) => place % 4 === 0);
    const ours = toMask(probabilities, [h, w, channels], h, w);
    const own = new Confusion(ids.length);
    own.add(theirs, ours);
    matrix.add(theirs, ours);
    decided.add(theirs, ours, (pixel) => margin(values, pixel, channels) >= MARGIN);
    samples.push({
      name: sample.name,
      largest_difference: largestDifference(values, probabilities),
      mask_iou: own.meanIou(names.length),
      milliseconds: median(times),
    });
  }
  const result = {
    largest_difference: samples.reduce((most, each) => greater(most, each.largest_difference), 0),
    mask_iou: matrix.meanIou(names.length),
    decided_iou: decided.meanIou(names.length),
    milliseconds: median(samples.map((each) => each.milliseconds)),
  };
  const { max_difference: most, mask_iou: least } = kit.limits;
  if (!samples.length) reasons.push("the kit has no samples");
  if (most !== null && !(result.largest_difference <= most)) {
    reasons.push(`probabilities differ by ${result.largest_difference.toExponential(1)}, the limit is ${most}`);
  }
  if (!(result.decided_iou >= least)) {
    reasons.push(`the mask IoU of confident pixels is ${result.decided_iou.toFixed(4)}, the limit is ${least}`);
  }
  return {
    passed: reasons.length === 0,
    reasons,
    ...result,
    limits: kit.limits,
    model: kit.model,
    model_checked: canHash, // browsers offer SHA-256 to secure pages alone
    precision: kit.precision,
    accelerator: runner.accelerator,
    browser: navigator.userAgent,
    samples,
  };
}

/** Counts of pixels by the id of one mask and that of another. */
class Confusion {
  constructor(count) {
    this.count = count;
    this.cells = new Float64Array(count * count);
  }

  add(expected, found, counts = () => true) {
    for (let i = 0; i < found.length; i++) {
      if (counts(i)) this.cells[expected[i] * this.count + found[i]] += 1;
    }
  }

  /** The mean IoU of the last `classes` ids that either mask shows; 1 if there is none. */
  meanIou(classes) {
    const { count, cells } = this;
    const ious = [];
    for (let id = count - classes; id < count; id++) {
      let union = -cells[id * count + id];
      for (let other = 0; other < count; other++) union += cells[id * count + other] + cells[other * count + id];
      if (union) ious.push(cells[id * count + id] / union);
    }
    return ious.length ? ious.reduce((sum, iou) => sum + iou, 0) / ious.length : 1;
  }
}

/** How far a pixel is from another class, 0..0.5. */
function margin(values, pixel, channels) {
  const scores = values.subarray(pixel * channels, (pixel + 1) * channels);
  if (channels === 1) return Math.abs(scores[0] - 0.5);
  let first = -1, second = -1;
  for (const score of scores) {
    if (score > first) [first, second] = [score, first];
    else if (score > second) second = score;
  }
  return (first - second) / 2;
}

const greater = (a, b) => (Number.isNaN(a) || Number.isNaN(b) ? NaN : Math.max(a, b));

function largestDifference(expected, found) {
  let most = 0;
  for (let i = 0; i < expected.length; i++) most = greater(most, Math.abs(expected[i] - found[i]));
  return most;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length ? sorted[sorted.length >> 1] : NaN;
}

async function pixels(blob, name) {
  const bitmap = await decode(blob, name);
  const { width, height } = bitmap;
  return { width, height, data: new Grabber().grab(bitmap, width, height) };
}

/** Read float32 values from NumPy's format 1.0. */
function readNpy(buffer, name) {
  const length = new DataView(buffer).getUint16(8, true);
  const header = new TextDecoder().decode(new Uint8Array(buffer, 10, length));
  const shape = /'shape': \(([\d, ]*)\)/.exec(header)?.[1];
  if (!header.includes("'<f4'") || !header.includes("'fortran_order': False") || !shape) {
    throw new SourceError(`kit/${name} holds no float32 array in NumPy's format 1.0.`);
  }
  const sides = shape.split(",").map((side) => side.trim()).filter(Boolean).map(Number);
  return { shape: sides, values: new Float32Array(buffer.slice(10 + length)) };
}

async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
