// A .tflite of this project: what it says about itself, and running it with LiteRT.js.

import { Tensor, getWebGpuDevice, loadAndCompile, loadLiteRt } from "@litertjs/core";
import { unzipSync } from "fflate";
import { ByteBuffer } from "flatbuffers";

const OWN_FILE = "segmentation.json"; // written by segmentation/export/tflite_metadata.py
const FLOAT32 = 0, UINT8 = 3; // TensorType in LiteRT's schema.fbs

export class ModelError extends Error {}

/**
 * Read what a .tflite says about itself.
 *
 * @param {Uint8Array} bytes of the file.
 * @returns {{height, width, input, output, outputShape, names, colors, ids, precision}} sizes in
 *     pixels; `input` and `output` are {scale, zeroPoint} of uint8 tensors, null of float32 ones;
 *     `names` of the channels; `ids` has a {name, color} for each id of a mask, where the background
 *     of a single class comes first.
 */
export function describe(bytes) {
  if (bytes.length < 8 || String.fromCharCode(...bytes.subarray(4, 8)) !== "TFL3") {
    throw new ModelError("The file is not a LiteRT model (.tflite).");
  }
  const tensors = readTensors(bytes);
  const own = readOwn(bytes);
  const [, height, width, channels] = tensors.input.shape;
  const count = own.classes.length;
  if (channels !== 3 || tensors.output.shape.length !== 4 || tensors.output.shape[3] !== count) {
    throw new ModelError("The model does not map an RGB image to a probability for each class.");
  }
  const ids = own.classes.map((name, id) => ({ name, color: own.colors[id] }));
  return {
    height,
    width,
    input: tensors.input.steps,
    output: tensors.output.steps,
    outputShape: tensors.output.shape,
    names: own.classes,
    ids: count === 1 ? [{ name: "background", color: [0, 0, 0] }, ...ids] : ids,
    precision: own.precision ?? (tensors.input.steps ? "int8" : "float32"),
  };
}

/** Return {shape, steps} of the one input and the one output, by the slots of schema.fbs. */
function readTensors(bytes) {
  try {
    const buffer = new ByteBuffer(bytes);
    const field = (table, slot) => {
      const offset = buffer.__offset(table, 4 + 2 * slot);
      return offset && table + offset;
    };
    const vector = (table, slot) => {
      const place = field(table, slot);
      return place ? [buffer.__vector(place), buffer.__vector_len(place)] : [0, 0];
    };
    const numbers = (table, slot, size, read) => {
      const [start, length] = vector(table, slot);
      return Array.from({ length }, (_, index) => read(start + size * index));
    };
    const tableAt = (table, slot, index) => buffer.__indirect(vector(table, slot)[0] + 4 * index);
    const int32 = (place) => buffer.readInt32(place);

    const graph = tableAt(buffer.__indirect(0), 2, 0);
    const tensor = (slot) => {
      const [index, ...more] = numbers(graph, slot, 4, int32);
      if (index === undefined || more.length) throw new Error("several inputs or outputs");
      const table = tableAt(graph, 0, index);
      const type = field(table, 1) ? buffer.readUint8(field(table, 1)) : FLOAT32;
      if (type === FLOAT32) return { shape: numbers(table, 0, 4, int32), steps: null };
      if (type !== UINT8) throw new Error("it works on neither float32 nor uint8");
      const quantization = buffer.__indirect(field(table, 4));
      const [scale] = numbers(quantization, 2, 4, (place) => buffer.readFloat32(place));
      const [zero] = numbers(quantization, 3, 8, (place) => Number(buffer.readInt64(place)));
      return { shape: numbers(table, 0, 4, int32), steps: { scale, zeroPoint: zero } };
    };
    return { input: tensor(1), output: tensor(2) };
  } catch (error) {
    throw new ModelError(`The model cannot be read: it is damaged, or no model of this project (${error.message}).`);
  }
}

function readOwn(bytes) {
  try {
    const own = unzipSync(bytes, { filter: (file) => file.name === OWN_FILE })[OWN_FILE];
    return JSON.parse(new TextDecoder().decode(own));
  } catch {
    throw new ModelError("The model names no classes: convert it with tf_converter.py.");
  }
}

/** Load LiteRT.js, with threads where the page is isolated; return how it runs on the CPU. */
export async function start(folder) {
  if (globalThis.crossOriginIsolated) {
    try {
      await loadLiteRt(folder, { threads: true });
      return "WASM, threads";
    } catch (error) {
      console.warn("LiteRT.js without threads:", error); // no relaxed SIMD, for one
    }
  }
  await loadLiteRt(folder);
  return "WASM";
}

export const hasWebGpu = () => Boolean(getWebGpuDevice());

/** A compiled model on one accelerator, "webgpu" or "wasm". */
export class Runner {
  static async open(bytes, description, accelerator) {
    // WebGPU computes in float32 as well: half precision is not what was measured.
    const options = { accelerator, gpuOptions: { precision: "fp32" } };
    const compiled = await loadAndCompile(bytes, options);
    if (accelerator === "webgpu" && !compiled.isFullyAccelerated) {
      compiled.delete();
      throw new Error("WebGPU lacks an operation of this model");
    }
    const runner = new Runner(compiled, description, accelerator);
    await runner.run(new Uint8Array(3 * description.height * description.width)); // warm-up
    return runner;
  }

  constructor(compiled, description, accelerator) {
    Object.assign(this, { compiled, description, accelerator });
  }

  /**
   * @param {Uint8Array} rgb height * width * 3 values 0..255, raw: normalisation is in the graph.
   * @returns {Promise<Float32Array>} probabilities, [h, w, C] of `outputShape`.
   */
  async run(rgb) {
    const { height, width, input, output } = this.description;
    const values = input ? quantized(rgb, input) : Float32Array.from(rgb);
    const tensor = new Tensor(values, [1, height, width, 3]);
    let results;
    try {
      results = await this.compiled.run(tensor);
    } finally {
      tensor.delete();
    }
    try {
      const stored = await results[0].data();
      return output ? dequantized(stored, output) : Float32Array.from(stored);
    } finally {
      results.forEach((each) => each.delete());
    }
  }

  close() {
    this.compiled.delete();
  }
}

function quantized(rgb, { scale, zeroPoint }) {
  if (scale === 1 && zeroPoint === 0) return rgb;
  // A Uint8ClampedArray rounds halves to even, as NumPy's rint does, and clips.
  return new Uint8Array(Uint8ClampedArray.from(rgb, (value) => value / scale + zeroPoint).buffer);
}

function dequantized(stored, { scale, zeroPoint }) {
  return Float32Array.from(stored, (value) => (value - zeroPoint) * scale);
}
