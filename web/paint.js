// What the page shows: an image with its mask in colours, recoloured, blurred, or on another
// background. The canvas stretches masks smoothly, which softens their borders.

const SOFTNESS = [2, 4, 8, 16, 8, 4, 2]; // a blur by shrinking: Safari's canvas has no filter

const canvasOf = (width, height) => Object.assign(document.createElement("canvas"), { width, height });

export class Painter {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.layer = canvasOf(1, 1);
    this.stencil = canvasOf(1, 1);
  }

  /**
   * @param source image, video or canvas.
   * @param {{width, height}} size to show it at, pixels.
   * @param {{mask: Uint8Array, width, height}} found the mask, or null.
   * @param {{effect, ids, id, opacity, tint, picture}} look `effect` one of "colors", "recolor",
   *     "blur", "replace", "none"; `id` the class of all but "colors"; `picture` an image or null.
   */
  paint(source, size, found, look) {
    if (this.canvas.width !== size.width) this.canvas.width = size.width;
    if (this.canvas.height !== size.height) this.canvas.height = size.height;
    const { context } = this;
    context.drawImage(source, 0, 0, size.width, size.height);
    if (!found || look.effect === "none") return;
    context.save();
    if (look.effect === "colors") {
      this.cut(found, look.ids.map(({ color }) => (color.some(Boolean) ? color : null)));
      context.globalAlpha = look.opacity;
      context.drawImage(this.stencil, 0, 0, size.width, size.height);
    } else {
      this.cut(found, look.ids.map((_, id) => (id === look.id ? [0, 0, 0] : null)));
      const recolor = look.effect === "recolor";
      this.cover(source, size, look);
      this.layer.getContext("2d").globalCompositeOperation = recolor ? "destination-in" : "destination-out";
      this.layer.getContext("2d").drawImage(this.stencil, 0, 0, size.width, size.height);
      if (recolor) {
        context.globalCompositeOperation = "color"; // keeps light and shade
        context.globalAlpha = look.opacity;
      }
      context.drawImage(this.layer, 0, 0);
    }
    context.restore();
  }

  /** Make the stencil: each pixel the colour of its id, transparent where that is null. */
  cut({ mask, width, height }, colors) {
    Object.assign(this.stencil, { width, height });
    const context = this.stencil.getContext("2d");
    const image = context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const packed = colors.map((rgb) => (rgb ? new Uint32Array(Uint8Array.of(...rgb, 255).buffer)[0] : 0));
    for (let i = 0; i < mask.length; i++) pixels[i] = packed[mask[i]];
    context.putImageData(image, 0, 0);
  }

  /** Make the layer: what comes over the image, before the mask is cut out of it. */
  cover(source, { width, height }, look) {
    Object.assign(this.layer, { width, height }); // clears it, and its state
    const context = this.layer.getContext("2d");
    if (look.effect === "blur") {
      let small = source;
      for (const factor of SOFTNESS) {
        const next = canvasOf(Math.ceil(width / factor), Math.ceil(height / factor));
        next.getContext("2d").drawImage(small, 0, 0, next.width, next.height);
        small = next;
      }
      context.drawImage(small, 0, 0, width, height);
    } else if (look.effect === "replace" && look.picture) {
      const scale = Math.max(width / look.picture.width, height / look.picture.height);
      const [w, h] = [look.picture.width * scale, look.picture.height * scale];
      context.drawImage(look.picture, (width - w) / 2, (height - h) / 2, w, h);
    } else {
      context.fillStyle = look.tint;
      context.fillRect(0, 0, width, height);
    }
  }
}
