// The page: what a person chooses, and one frame after the other.

import { shares, Smoothing, toMask } from "./masks.js";
import { describe, hasWebGpu, ModelError, Runner, start } from "./model.js";
import { Painter } from "./paint.js";
import { stretch } from "./resize.js";
import { runKit } from "./selftest.js";
import { Camera, decode, fetchFile, Grabber, SourceError } from "./sources.js";

// The longest side, in pixels, of what the page shows, and of its mask: as large as the model's
// output, between these.
const SHOWN = [720, 1280], MASK = [384, 512];
const SPAN = 1000; // over which frames are counted, milliseconds
const ANNOUNCED = 3000; // between descriptions of the image for screen readers, milliseconds

const at = (id) => document.getElementById(id);
const painter = new Painter(at("view"));
const grabber = new Grabber();
const camera = new Camera(at("video"));
const smoothing = new Smoothing();
let bytes, about, runner, cpu; // of the model
let found = null; // the mask of what the grabber holds: the latest frame, or a picture
let backdrop = null;
let queue = Promise.resolve(); // one at a time: a frame, or another accelerator
let ticks = [];
let described = 0;

const say = (text) => { at("status").textContent = text; };
const wordsOf = (error) => error.message ?? String(error); // WebAssembly throws numbers too
const complain = (text) => { at("problem").textContent = text; };

/** Do something, and say in words what goes wrong; return whether nothing did. */
async function attempt(task, isFrame = false) {
  try {
    if (!isFrame) complain(""); // frames leave what a person has to read
    await task();
    return true;
  } catch (error) {
    if (!(error instanceof SourceError || error instanceof ModelError)) console.error(error);
    complain(wordsOf(error));
    return false;
  }
}

/** Do something with the model after what is under way. */
function enqueue(task, isFrame = false) {
  queue = queue.then(() => attempt(task, isFrame));
  return queue;
}

async function open() {
  const site = JSON.parse(await (await fetchFile("site.json")).text());
  document.title = at("title").textContent = site.model;
  bytes = new Uint8Array(await (await fetchFile("model.tflite")).arrayBuffer());
  about = describe(bytes);
  const megabytes = (bytes.length / 1e6).toFixed(1);
  at("facts").textContent = `${about.width} × ${about.height} pixels · ${about.precision} · ${megabytes} MB`;
  listClasses();
  say("Starting LiteRT …");
  try {
    cpu = await start("./wasm/");
  } catch (error) {
    throw new SourceError(`LiteRT.js could not be loaded (${error.message ?? "connection lost"}). Load the page again.`);
  }
  const choices = [...(hasWebGpu() ? [["webgpu", "WebGPU"]] : []), ["wasm", cpu]];
  at("accelerator").replaceChildren(...choices.map(([value, text]) => new Option(text, value)));
  await use(choices[0][0]);
  at("accelerator").value = runner.accelerator;
  for (const id of ["camera", "choose", "take", "accelerator", "run-selftest"]) at(id).disabled = false;
  at("take-label").hidden = Camera.isPossible && !matchMedia("(pointer: coarse)").matches;
  at("selftest").hidden = !site.kit;
  listSamples(site.samples);
}

/** Run on an accelerator from now on, on the CPU if WebGPU cannot run the model; say which. */
async function use(accelerator) {
  say("Preparing the model …");
  let opened, note = "";
  try {
    opened = await Runner.open(bytes, about, accelerator);
  } catch (error) {
    if (accelerator === "wasm") throw new ModelError(`LiteRT cannot run the model (${wordsOf(error)}).`);
    opened = await Runner.open(bytes, about, "wasm");
    at("accelerator").querySelector("[value=webgpu]").disabled = true;
    note = ` WebGPU cannot run this model (${wordsOf(error)}).`;
  }
  runner?.close();
  runner = opened;
  at("ran").textContent = runner.accelerator === "webgpu" ? "WebGPU" : cpu;
  say(`Ready: runs on ${at("ran").textContent}.${note}`);
}

function listClasses() {
  at("classes").replaceChildren(...about.ids.map(({ name, color }) => {
    const row = document.createElement("tr");
    const head = Object.assign(document.createElement("th"), { scope: "row" });
    const swatch = Object.assign(document.createElement("span"), { className: "swatch" });
    if (color.some(Boolean)) swatch.style.background = `rgb(${color})`;
    head.append(swatch, name);
    row.append(head, Object.assign(document.createElement("td"), { className: "number", textContent: "–" }));
    return row;
  }));
  at("class").replaceChildren(...about.ids.map(({ name }, id) => new Option(name, id)));
  at("class").value = 1;
}

function listSamples(names) {
  at("samples").replaceChildren(...names.map((path, index) => {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    const image = Object.assign(new Image(), { src: path, alt: `Sample ${index + 1}` });
    button.append(image);
    button.addEventListener("click", () => attempt(async () => {
      const blob = await fetchFile(path);
      const shown = await enqueue(() => show(blob, image.alt));
      if (shown) button.setAttribute("aria-pressed", "true");
    }));
    return button;
  }));
}

/** Show a picture instead of the camera. */
async function show(blob, name) {
  const bitmap = await decode(blob, name);
  stopCamera();
  for (const button of at("samples").children) button.removeAttribute("aria-pressed");
  await segment(bitmap, bitmap.width, bitmap.height, false);
  bitmap.close();
  say(`${name}: ${inWords(found.parts)}.`);
}

/** Segment an image or a frame, and show it. */
async function segment(source, width, height, isFrame) {
  const rgba = grabber.grab(source, width, height);
  const rgb = stretch(rgba, width, height, about.width, about.height);
  const before = performance.now();
  let probabilities = await runner.run(rgb);
  const milliseconds = performance.now() - before;
  if (isFrame && at("smooth").checked) probabilities = smoothing.add(probabilities);
  const longest = Math.max(width, height);
  const [h, w, channels] = about.outputShape.slice(1);
  const size = scaled(width, height, within(longest, SHOWN) / longest);
  const cells = scaled(width, height, within(Math.max(h, w), MASK) / longest);
  const mask = toMask(probabilities, [h, w, channels], cells.height, cells.width);
  found = { mask, ...cells, size, parts: shares(mask, about.ids.length) };
  at("view").found = found; // for whoever tests the page
  paint();
  showFigures(milliseconds, isFrame);
}

const within = (value, [least, most]) => Math.min(Math.max(value, least), most);

const scaled = (width, height, factor) => ({
  width: Math.max(1, Math.round(width * factor)),
  height: Math.max(1, Math.round(height * factor)),
});

function paint() {
  // What was segmented, not the frame that the camera has reached meanwhile.
  painter.paint(grabber.canvas, found.size, found, {
    effect: at("effect").value,
    ids: about.ids,
    id: Number(at("class").value),
    opacity: at("opacity").value / 100,
    tint: at("tint").value,
    picture: backdrop,
  });
  at("welcome").hidden = true;
}

function showFigures(milliseconds, isFrame) {
  const now = performance.now();
  ticks = [...ticks.filter((tick) => now - tick < SPAN), now];
  const span = now - ticks[0];
  at("milliseconds").textContent = `${milliseconds.toFixed(1)} ms`;
  at("rate").textContent = ticks.length > 1 ? (1000 * (ticks.length - 1) / span).toFixed(0) : "–";
  at("rate").parentElement.hidden = !isFrame;
  at("speed").hidden = false;
  found.parts.forEach((part, id) => {
    at("classes").rows[id].lastChild.textContent = `${(100 * part).toFixed(1)} %`;
  });
  if (!isFrame || now - described > ANNOUNCED) {
    at("view").setAttribute("aria-label", `Image: ${inWords(found.parts)}`);
    described = now;
  }
}

function inWords(parts) {
  const shown = about.ids.map(({ name }, id) => [parts[id], name]).filter(([part]) => part > 0);
  return shown.sort((a, b) => b[0] - a[0]).map(([part, name]) => `${name} ${(100 * part).toFixed(1)} %`).join(", ");
}

// Outside the queue: a person may take long to allow it, and look at pictures meanwhile.
async function startCamera() {
  say("Waiting for the camera …");
  at("camera").disabled = at("facing").disabled = true;
  try {
    await camera.start(at("facing").value);
  } catch (error) {
    stopCamera();
    say("The camera is off.");
    throw error;
  } finally {
    at("camera").disabled = at("facing").disabled = false;
  }
  smoothing.forget();
  ticks = [];
  at("camera").textContent = "Stop camera";
  at("view").classList.toggle("mirrored", at("facing").value === "user");
  say("The camera is on.");
  follow();
}

function stopCamera() {
  camera.stop();
  at("camera").textContent = "Start camera";
  at("view").classList.remove("mirrored");
}

let following = 0; // which start of the camera counts
async function follow() {
  const turn = ++following;
  while (camera.isOn && turn === following) {
    await camera.nextFrame();
    if (document.hidden) continue;
    const went = await enqueue(async () => {
      const { videoWidth, videoHeight } = at("video");
      if (camera.isOn && videoWidth) await segment(at("video"), videoWidth, videoHeight, true);
    }, true);
    if (!went) stopCamera();
  }
}

camera.onlost = () => {
  stopCamera();
  complain("The camera was disconnected, or taken by another program.");
};

at("camera").addEventListener("click", () => attempt(async () => {
  if (!camera.isOn) return startCamera();
  stopCamera();
  say("The camera is off.");
}));
at("facing").addEventListener("change", () => { if (camera.isOn) attempt(startCamera); });
at("accelerator").addEventListener("change", () => enqueue(async () => {
  try {
    await use(at("accelerator").value);
  } finally {
    at("accelerator").value = runner.accelerator;
  }
  const { canvas } = grabber;
  if (found && !camera.isOn) await segment(canvas, canvas.width, canvas.height, false);
}));
at("smooth").addEventListener("change", () => smoothing.forget());

for (const id of ["choose", "take"]) {
  at(id).addEventListener("change", ({ target }) => {
    const [file] = target.files;
    target.value = ""; // so that the same file can be chosen again
    if (file) enqueue(() => show(file, file.name));
  });
}
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  const [file] = event.dataTransfer.files;
  if (file && runner) enqueue(() => show(file, file.name));
});

function changeLook() {
  const effect = at("effect").value;
  for (const each of document.querySelectorAll("[data-for]")) {
    each.hidden = !each.dataset.for.split(" ").includes(effect);
  }
  if (found && !camera.isOn) enqueue(paint, true);
}
for (const id of ["effect", "class", "tint", "opacity"]) at(id).addEventListener("input", changeLook);
at("backdrop").addEventListener("change", ({ target }) => attempt(async () => {
  backdrop = target.files[0] ? await decode(target.files[0], target.files[0].name) : null;
  changeLook();
}));

at("run-selftest").addEventListener("click", () => enqueue(async () => {
  const verdict = at("verdict");
  delete verdict.dataset.passed;
  at("selftest-result").hidden = true;
  let result;
  try {
    result = await runKit(runner, bytes, (text) => { verdict.textContent = text; });
  } catch (error) {
    verdict.textContent = `The self-test could not be run: ${wordsOf(error)}`;
    verdict.dataset.passed = false;
    return;
  }
  result.ran_on = at("ran").textContent;
  const { largest_difference: most, mask_iou: iou, milliseconds } = result;
  const figures = `largest difference ${most.toExponential(1)}, mask IoU ${iou.toFixed(4)}, ${milliseconds.toFixed(1)} ms on ${result.ran_on}`;
  verdict.textContent = result.passed
    ? `Passed: the model here agrees with the Keras model (${figures}).`
    : `Failed: ${result.reasons.join("; ")} (${figures}).`;
  if (!result.model_checked) verdict.textContent += " That the model is the kit's file was not checked: the page is not secure (https).";
  verdict.dataset.passed = result.passed;
  at("selftest-rows").replaceChildren(...result.samples.map((sample) => {
    const row = document.createElement("tr");
    const cells = [sample.name, sample.largest_difference.toExponential(1), sample.mask_iou.toFixed(4), sample.milliseconds.toFixed(1)];
    row.append(...cells.map((textContent, index) =>
      Object.assign(document.createElement("td"), { textContent, className: index ? "number" : "" })));
    return row;
  }));
  at("selftest-json").value = JSON.stringify(result, null, 1);
  at("selftest-result").hidden = false;
}));
at("copy").addEventListener("click", () => {
  at("selftest-json").select(); // the clipboard's newer interface is for secure pages alone
  document.execCommand("copy");
  say("The result was copied.");
});

changeLook();
enqueue(open);
