// From probabilities to a mask of class ids, as segmentation/probabilities.py does it.

/**
 * @param {Float32Array} probabilities [h, w, C].
 * @returns {Uint8Array} ids at `height` x `width`, to which probabilities are upsampled bilinearly.
 *     One channel: 1 where p > 0.5, else 0. Several: the argmax, the first of equals.
 */
export function toMask(probabilities, [h, w, channels], height, width) {
  const mask = new Uint8Array(height * width);
  if (channels === 1) {
    const values = upsampled(probabilities, h, w, 1, 0, height, width);
    for (let i = 0; i < mask.length; i++) mask[i] = values[i] > 0.5 ? 1 : 0;
    return mask;
  }
  const best = upsampled(probabilities, h, w, channels, 0, height, width);
  for (let channel = 1; channel < channels; channel++) {
    const values = upsampled(probabilities, h, w, channels, channel, height, width);
    for (let i = 0; i < mask.length; i++) {
      if (values[i] > best[i]) {
        best[i] = values[i];
        mask[i] = channel;
      }
    }
  }
  return mask;
}

/** One channel at another size, as cv2.INTER_LINEAR gives it: centres of pixels, edges repeated. */
function upsampled(values, h, w, channels, channel, height, width) {
  const result = new Float32Array(height * width);
  if (h === height && w === width) {
    for (let i = 0; i < result.length; i++) result[i] = values[i * channels + channel];
    return result;
  }
  const columns = neighbours(w, width);
  const rows = neighbours(h, height);
  for (let y = 0; y < height; y++) {
    const above = rows.low[y] * w, below = rows.high[y] * w, v = rows.share[y];
    for (let x = 0; x < width; x++) {
      const left = columns.low[x], right = columns.high[x], u = columns.share[x];
      const at = (place) => values[place * channels + channel];
      const top = at(above + left) * (1 - u) + at(above + right) * u;
      const bottom = at(below + left) * (1 - u) + at(below + right) * u;
      result[y * width + x] = top * (1 - v) + bottom * v;
    }
  }
  return result;
}

function neighbours(from, to) {
  const low = new Int32Array(to), high = new Int32Array(to), share = new Float32Array(to);
  for (let i = 0; i < to; i++) {
    const place = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
    low[i] = Math.floor(place);
    high[i] = Math.min(low[i] + 1, from - 1);
    share[i] = place - low[i];
  }
  return { low, high, share };
}

/** The share of the pixels, 0..1, that each of `count` ids has. */
export function shares(mask, count) {
  const found = new Array(count).fill(0);
  for (const id of mask) found[id] += 1;
  return found.map((each) => each / mask.length);
}

const KEPT = 0.6; // of the probabilities of earlier frames: about three frames count

/** A running mean of the probabilities of frames, since masks of single frames flicker. */
export class Smoothing {
  add(probabilities) {
    if (this.mean?.length !== probabilities.length) {
      this.mean = Float32Array.from(probabilities);
      return this.mean;
    }
    for (let i = 0; i < this.mean.length; i++) {
      this.mean[i] = KEPT * this.mean[i] + (1 - KEPT) * probabilities[i];
    }
    return this.mean;
  }

  forget() {
    this.mean = null;
  }
}
