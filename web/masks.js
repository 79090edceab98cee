// From probabilities to a mask of class ids, as segmentation/probabilities.py does it.

/**
 * @param {Float32Array} probabilities [h, w, C].
 * @returns {Uint8Array} ids at `height` x `width`, to which probabilities are upsampled bilinearly.
 *     One channel: 1 where p > 0.5, else 0. Several: the argmax, the first of equals.
 */
export function toMask(probabilities, [h, w, channels], height, width) {
  const mask = new Uint8Array(height * width);
  const columns = neighbours(w, width);
  const rows = neighbours(h, height);
  for (let y = 0; y < height; y++) {
    const above = rows.low[y] * w, below = rows.high[y] * w, v = rows.share[y];
    for (let x = 0; x < width; x++) {
      const left = columns.low[x], right = columns.high[x], u = columns.share[x];
      let a = (above + left) * channels, b = (above + right) * channels;
      let c = (below + left) * channels, d = (below + right) * channels;
      let best = channels === 1 ? 0.5 : -1, id = 0;
      for (let channel = 0; channel < channels; channel++) {
        const top = probabilities[a++] * (1 - u) + probabilities[b++] * u;
        const bottom = probabilities[c++] * (1 - u) + probabilities[d++] * u;
        const value = top * (1 - v) + bottom * v;
        if (value > best) {
          best = value;
          id = channels === 1 ? 1 : channel;
        }
      }
      mask[y * width + x] = id;
    }
  }
  return mask;
}

/** For each of `to` pixels its two neighbours and the share of the second, as cv2.INTER_LINEAR. */
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
