// Stretching an image as the models were trained and measured: Pillow's BILINEAR, a triangle filter
// that is as wide as a pixel of the result. In Pillow's own integers, so that every bit agrees.

const BITS = 22; // Pillow's PRECISION_BITS of 8-bit images: 32 - 8 - 2

/**
 * @param {Uint8ClampedArray} rgba of an image, width * height * 4.
 * @returns {Uint8Array} RGB, toWidth * toHeight * 3.
 */
export function stretch(rgba, width, height, toWidth, toHeight) {
  // Columns first, as in Pillow, which rounds to bytes in between.
  const wide = new Uint8Array(toWidth * height * 3);
  const columns = weights(width, toWidth);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < toWidth; x++) {
      let red = 1 << (BITS - 1), green = red, blue = red;
      let place = (y * width + columns.first[x]) * 4;
      for (let k = columns.start[x]; k < columns.start[x + 1]; k++, place += 4) {
        const weight = columns.values[k];
        red += rgba[place] * weight;
        green += rgba[place + 1] * weight;
        blue += rgba[place + 2] * weight;
      }
      const at = (y * toWidth + x) * 3;
      wide[at] = red >> BITS;
      wide[at + 1] = green >> BITS;
      wide[at + 2] = blue >> BITS;
    }
  }
  const result = new Uint8Array(toWidth * toHeight * 3);
  const rows = weights(height, toHeight);
  const length = toWidth * 3;
  for (let y = 0; y < toHeight; y++) {
    for (let x = 0; x < length; x++) {
      let sum = 1 << (BITS - 1);
      let place = rows.first[y] * length + x;
      for (let k = rows.start[y]; k < rows.start[y + 1]; k++, place += length) {
        sum += wide[place] * rows.values[k];
      }
      result[y * length + x] = sum >> BITS;
    }
  }
  return result;
}

/** Return for each of `to` pixels the first of `from` that it is made of, and their weights. */
function weights(from, to) {
  const scale = from / to;
  const support = Math.max(scale, 1);
  const first = new Int32Array(to);
  const start = new Int32Array(to + 1);
  const values = [];
  for (let index = 0; index < to; index++) {
    const center = (index + 0.5) * scale;
    const low = Math.max(Math.trunc(center - support + 0.5), 0);
    const high = Math.min(Math.trunc(center + support + 0.5), from);
    const parts = [];
    for (let source = low; source < high; source++) {
      parts.push(Math.max(0, 1 - Math.abs((source - center + 0.5) / support)));
    }
    const total = parts.reduce((sum, part) => sum + part, 0);
    first[index] = low;
    values.push(...parts.map((part) => Math.trunc(0.5 + (part / total) * (1 << BITS))));
    start[index + 1] = values.length;
  }
  return { first, start, values: Int32Array.from(values) };
}
