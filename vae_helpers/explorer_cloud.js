// What the page does when it holds the networks: a drawing, its cloud q(z|x), samples of it, and the loss in nats.

const SAMPLES = 8;
const SLIDERS = 8; // latents that get one, those with most KL first
const PAUSE_MS = 120; // after a stroke, before the samples are decoded
const SLICE_MS = 8; // of each turn in which the map of the plane is decoded

let model = null; // the networks with their weights; null where the page holds an atlas
const drawing = {
  paper: null,
  image: null, // what the model sees; null while there is no drawing
  posterior: null, // { mean, logVar } of the image
  kl: 0,
  atMean: null, // -log p(x|z) at the mean, or the squared error there
  rubbing: false,
  fitted: true, // centred and scaled as MNIST
  sigma: 1, // the factor of the slider
  noise: [], // of each sample, one number for each latent
  costs: [], // of each sample, -log p(x|z) or the squared error
};
let base = null; // the code whose other latents hold while the point moves in the plane
let lastStrokeMs = 0;

const withSlider = () => data.byKl.slice(0, SLIDERS).sort((a, b) => a - b);

const isVariational = () => Boolean(model && model.variational);
const inNats = () => model.reconstruction === "bernoulli";
const sum = (values) => values.reduce((total, value) => total + value, 0);

// Codes and the plane

const project = (code) =>
  data.directions.map((direction) => sum(direction.map((value, k) => value * (code[k] - data.origin[k]))));

// The code at a position of the plane: the base, moved along the plane.
function codeAt(position) {
  const start = project(base);
  return base.map((value, k) => value + sum(data.directions.map((direction, i) => direction[k] * (position[i] - start[i]))));
}

// Makes a code the base, and moves the point to it; the code may lie outside the plane that is drawn.
function goToCode(code) {
  base = state.code = Array.from(code);
  state.position = project(base).map((value) => clamp(value, -data.limit, data.limit));
  showCode();
  renewMap();
}

const standardDeviations = () => drawing.posterior.logVar.map((value) => Math.exp(value / 2));

function sampleCodes() {
  if (!drawing.posterior || !isVariational()) return [];
  const deviations = standardDeviations();
  return drawing.noise.map((noise) =>
    Array.from(drawing.posterior.mean, (mean, k) => mean + drawing.sigma * deviations[k] * noise[k]));
}

// Where the cloud lies in the plane: the half axes of its ellipse at one standard deviation, and its angle.
function cloudEllipse() {
  const variances = standardDeviations().map((value) => (value * drawing.sigma) ** 2);
  const [first, second] = data.directions;
  const covariance = (a, b) => sum(a.map((value, k) => value * b[k] * variances[k]));
  const a = covariance(first, first), b = covariance(first, second), c = covariance(second, second);
  const middle = (a + c) / 2, half = Math.hypot((a - c) / 2, b);
  return {
    center: project(drawing.posterior.mean),
    axes: [Math.sqrt(middle + half), Math.sqrt(Math.max(middle - half, 0))],
    angle: Math.atan2(2 * b, a - c) / 2,
  };
}

// The drawing

function paintPad() {
  const { paper } = drawing, context = byId("pad").getContext("2d");
  const pixels = context.createImageData(paper.width, paper.height);
  paper.ink.forEach((ink, cell) => pixels.data.set([255 * ink, 255 * ink, 255 * ink, 255], 4 * cell));
  context.putImageData(pixels, 0, 0);
  if (!penPlace) return;
  context.strokeStyle = "#ff8c1a"; // the place of a pen that the keyboard moves
  context.lineWidth = 2;
  context.strokeRect(penPlace[0] - 4, penPlace[1] - 4, 8, 8);
}

// Reads the paper as the model's images were made, and shows what the model makes of it.
function readDrawing() {
  const { paper } = drawing;
  byId("invitation").hidden = paper.ink.some((ink) => ink > 0);
  const image = drawing.fitted ? imageFitted(paper, width, height) : imageInPlace(paper, width, height);
  const seen = data.binary ? image.map((value) => (value > 0.5 ? 1 : 0)) : image;
  setImage(seen.some((value) => value > 0) ? seen : null);
}

function setImage(image) {
  drawing.image = image;
  drawing.posterior = image && encodeImage(model, image);
  drawing.kl = image && isVariational() ? sum(klOfLatents(drawing.posterior)) : 0;
  paintImage(byId("seen"), image ?? new Float32Array(width * height * channels));
  drawing.costs = [];
  const costs = image && pixelCosts(model, image, decodeCode(model, drawing.posterior.mean));
  drawing.atMean = costs && sum(costs);
  if (image) goToCode(drawing.posterior.mean);
  else showCode();
  writeLatents();
  samplesSoon();
}

function paintImage(canvas, values) {
  canvas.width = width;
  canvas.height = height;
  const pixels = new ImageData(width, height);
  fillPixels(values, pixels.data);
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

// Numbers from 0 to 1 → bytes of a picture
function fillPixels(values, rgba) {
  for (let p = 0; p < pixelCount; p++) {
    for (let c = 0; c < 3; c++) rgba[4 * p + c] = 255 * values[p * channels + (channels === 3 ? c : 0)];
    rgba[4 * p + 3] = 255;
  }
}

// What the ring shows: the decoded picture, and what each pixel of the drawing costs there

let outputs = null; // of the decoder for the code at the ring

function decodeHere(rgba) {
  outputs = decodeCode(model, state.code);
  fillPixels(pixelMeans(model, outputs), rgba);
}

function costHere() {
  const costs = drawing.image && pixelCosts(model, drawing.image, outputs);
  return costs ? sum(costs) : null;
}

// Orange: more ink than the model expects. Blue: less. The stronger, the more the pixel costs.
function paintSurprise() {
  const canvas = byId("surpriseMap"), pixels = new ImageData(width, height);
  const costs = drawing.image && pixelCosts(model, drawing.image, outputs);
  if (costs) {
    const means = pixelMeans(model, outputs), full = inNats() ? 4 : 1;
    const [more, less] = isDark() ? [[255, 160, 70], [90, 175, 255]] : [[205, 85, 0], [0, 100, 190]];
    for (let p = 0; p < pixelCount; p++) {
      let cost = 0, excess = 0;
      for (let k = p * channels; k < (p + 1) * channels; k++) {
        cost += costs[k];
        excess += drawing.image[k] - means[k];
      }
      const strength = Math.sqrt(clamp(cost / full / channels, 0, 1)); // the eye sees the root of it
      pixels.data.set([...(excess > 0 ? more : less), 255 * strength], 4 * p);
    }
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

function showCode() {
  drawPicture();
  drawMarks();
  writeReadout();
  writeCost();
  writeSliders();
  speakSoon();
}

// The loss as bars: what the picture costs at the mean, and on average over the samples; KL beside it

const oneDigit = (value) => value.toFixed(1);

function writeCost() {
  paintSurprise();
  const here = costHere(), known = model.reconstruction !== null;
  const rows = [];
  if (drawing.image) {
    const name = isVariational() ? "Decoded from the mean" : "Decoded from the code";
    rows.push({ name, fit: drawing.atMean, median: data.median?.loss });
    if (drawing.costs.length) {
      const name = `${SAMPLES} samples on average` + (drawing.sigma === 1 ? "" : `, σ × ${drawing.sigma}`);
      rows.push({ name, fit: sum(drawing.costs) / SAMPLES, median: data.median?.sampled });
    }
  }
  byId("bars").replaceChildren(...rows.flatMap((row) => barOf(row, known)), ...(rows.length ? [keyOfBars(known)] : []));
  byId("verdict").textContent = verdict();
  byId("whereName").textContent = !known
    ? "This likelihood is not computed in the page."
    : drawing.image
      ? `at the ring: ${costName()} ${oneDigit(here)}${inNats() ? " nats" : ""}. ${keyOfSurprise()}`
      : "where the surprise sits";
}

const keyOfSurprise = () =>
  channels === 1 ? "Orange: ink not expected; blue: ink expected" : "Orange: brighter than expected; blue: darker";
const costName = () => (inNats() ? "−log p(x|z)" : "squared error");

function barOf({ name, fit, median }, known) {
  const total = (fit ?? 0) + drawing.kl;
  const full = Math.max(1.8 * (known ? (median ?? 0) : (data.median?.kl ?? 0)), 1.05 * total);
  const bar = span("bar", ""), percent = (value) => `${(100 * value) / full}%`;
  if (known) bar.append(span("fit", ""));
  if (isVariational()) bar.append(span("kl", ""));
  if (known) bar.querySelector(".fit").style.width = percent(fit);
  if (isVariational()) bar.querySelector(".kl").style.width = percent(drawing.kl);
  const mark = known ? median : data.median?.kl;
  if (mark !== undefined) bar.append(span("mark", "")), (bar.lastChild.style.left = percent(mark));
  bar.setAttribute("aria-hidden", "true");
  const numbers = known && isVariational() ? ` = ${oneDigit(fit)} + ${oneDigit(drawing.kl)}` : "";
  const line = document.createElement("p");
  line.textContent = `${name}: ${oneDigit(total)}${inNats() || !known ? " nats" : ""}${numbers}`;
  return [line, bar];
}

function keyOfBars(known) {
  const key = document.createElement("p");
  key.className = "key";
  const add = (className, text) => {
    const item = span("", text), sign = document.createElement("i");
    sign.className = className;
    item.prepend(sign);
    key.append(item);
  };
  if (known) add("fit", inNats() ? "reconstruction" : "squared error (no unit)");
  if (isVariational()) add("kl", "KL");
  if (data.median) add("line", "median of the test images");
  return key;
}

function verdict() {
  if (!drawing.image) return "Draw something, or choose a test image: here stands what it costs the model.";
  if (drawing.atMean === null) return "The page knows the KL of this model, but not its likelihood.";
  if (!data.median) return "A low number does not mean “normal”: plain pictures are cheap for every model.";
  const more = drawing.atMean + drawing.kl - data.median.loss, unit = inNats() ? " nats" : "";
  const text = `${oneDigit(Math.abs(more))}${unit} ${more > 0 ? "more" : "less"} than the median of the test images`;
  return `${text} (${oneDigit(data.median.loss)}). A low number does not mean “normal”: plain pictures are cheap for every model.`;
}

function spokenCost() {
  if (drawing.atMean === null) return `KL ${oneDigit(drawing.kl)} nats`;
  if (!inNats()) return `squared error ${oneDigit(drawing.atMean)}`;
  const kl = isVariational() ? `, KL ${oneDigit(drawing.kl)} nats` : "";
  return `reconstruction ${oneDigit(drawing.atMean)} nats${kl}`;
}

// What the page says of itself below
function networkSentences() {
  const { pixel, nats } = data.rounding, sentences = ["Encoder and decoder run in this page, with rounded weights."];
  const differences = [`a pixel by ${(255 * pixel).toFixed(2)} of 255 grey levels`];
  if (inNats()) differences.push(`a loss by ${nats.toFixed(3)} nats`);
  sentences.push(`On test images and random codes that changes ${differences.join(" and ")} at most.`);
  if (data.beta !== null && data.beta !== 1)
    sentences.push(`The model was trained with KL counted ${data.beta} times; here it counts once.`);
  return sentences;
}

// The cloud's samples

function drawSamples() {
  const draw = () => Array.from({ length: data.latents }, normal);
  drawing.noise = Array.from({ length: SAMPLES }, draw);
  decodeSamples();
}

let waiting = 0;
function samplesSoon() {
  clearTimeout(waiting);
  waiting = setTimeout(decodeSamples, PAUSE_MS);
}

function decodeSamples() {
  clearTimeout(waiting);
  const codes = sampleCodes(), known = model.reconstruction !== null;
  drawing.costs = [];
  byId("samples").replaceChildren(...codes.map((code, k) => {
    const result = decodeCode(model, code);
    if (known) drawing.costs.push(sum(pixelCosts(model, drawing.image, result)));
    const button = pictureButton(pixelMeans(model, result), `Sample ${k + 1}: move there`);
    button.addEventListener("click", () => goToCode(code));
    return button;
  }));
  drawMarks();
  writeCost();
}

function pictureButton(values, name) {
  const button = document.createElement("button"), canvas = document.createElement("canvas");
  button.type = "button";
  button.setAttribute("aria-label", name);
  paintImage(canvas, values);
  button.append(canvas);
  return button;
}

// Sliders: the width of the cloud, and one for each of the first latents

function buildSliders() {
  const most = Math.max(4, Math.ceil(data.limit));
  const parts = withSlider().map((k) => sliderFor(`z${k + 1}`, latentName(k), -most, most, 0.05, (value) => {
    stopWalk();
    goToCode(state.code.map((old, i) => (i === k ? value : old)));
  }));
  if (isVariational()) {
    parts.unshift(sliderFor("sigma", "cloud: σ ×", 0, 4, 0.1, (value) => {
      drawing.sigma = value;
      drawMarks();
      samplesSoon();
      writeSliders();
    }));
  }
  byId("sliders").append(...parts);
}

const latentName = (k) => "z" + Array.from(String(k + 1), (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]).join("");

function sliderFor(id, name, low, high, step, onInput) {
  const label = document.createElement("label"), input = document.createElement("input");
  Object.assign(input, { type: "range", id, min: low, max: high, step });
  input.setAttribute("aria-label", name);
  input.addEventListener("input", () => onInput(Number(input.value)));
  label.append(span("", name), input, document.createElement("output"), span("of", ""));
  return label;
}

function writeSliders() {
  const write = (id, value, text) => {
    const input = byId(id);
    if (!input) return;
    if (Number(input.value) !== value) input.value = value;
    input.nextSibling.textContent = text.replace("-", "−");
  };
  if (isVariational()) write("sigma", drawing.sigma, oneDigit(drawing.sigma));
  for (const k of withSlider()) write(`z${k + 1}`, state.code[k], twoDigits(state.code[k]));
}

// Beside each latent's slider: mean, standard deviation and KL of the drawing
function writeLatents() {
  const kl = drawing.image && isVariational() ? klOfLatents(drawing.posterior) : null;
  const deviations = kl && standardDeviations();
  for (const k of withSlider()) {
    const text = kl
      ? `μ ${twoDigits(drawing.posterior.mean[k])} · σ ${twoDigits(deviations[k])} · KL ${twoDigits(kl[k])} nats`
      : "";
    byId(`z${k + 1}`).parentNode.querySelector(".of").textContent = text.replaceAll("-", "−");
  }
}

// The map of the plane, decoded bit by bit, so that nothing has to wait for it

const map = { tiles: [], columns: 20, rows: 20, turn: 0 };

function renewMap() {
  if (data.latents === 2 && map.turn) return; // all codes of the plane are on the map
  const turn = ++map.turn;
  map.rows = Math.max(2, Math.round((map.columns * width) / height));
  let next = 0;
  const go = () => {
    if (turn !== map.turn) return; // another has begun
    const end = performance.now() + SLICE_MS;
    for (; next < map.columns * map.rows && performance.now() < end && !stroke; next++) {
      const column = next % map.columns, row = Math.floor(next / map.columns);
      const position = [(2 * column + 1) / map.columns - 1, 1 - (2 * row + 1) / map.rows].map((k) => k * data.limit);
      map.tiles[next] = pixelMeans(model, decodeCode(model, codeAt(position)));
    }
    if (next < map.columns * map.rows) setTimeout(go, 4);
    else byId("plane").dataset.map = turn;
    if (next === map.columns * map.rows || Math.random() < 0.1) drawGround();
  };
  setTimeout(go, map.turn === 1 ? 0 : 400);
}

// The pad: finger, pen, mouse, keys

let stroke = null; // the last place of a stroke that goes on
let penPlace = null; // where the keyboard's pen is
let penDown = false;

const penRadius = () => (Number(byId("pixels").value) * FINE) / 2;

function toPaper(event) {
  const box = byId("pad").getBoundingClientRect(), { paper } = drawing;
  return [((event.clientX - box.left) / box.width) * paper.width, ((event.clientY - box.top) / box.height) * paper.height];
}

function onPadDown(event) {
  if (!event.isPrimary || (event.button !== 0 && event.button !== 5)) return;
  byId("pad").setPointerCapture(event.pointerId);
  stopWalk();
  penPlace = null;
  stroke = toPaper(event);
  onPadMove(event);
}

function onPadMove(event) {
  if (!stroke || !event.isPrimary) return;
  const start = performance.now(), events = event.getCoalescedEvents?.() ?? [];
  const rubbing = drawing.rubbing || Boolean(event.buttons & 32); // 32: the other end of a pen
  for (const place of (events.length ? events : [event]).map(toPaper)) {
    drawLine(drawing.paper, stroke, place, penRadius(), rubbing);
    stroke = place;
  }
  paintPad();
  readDrawing();
  lastStrokeMs = performance.now() - start;
}

function onPadUp(event) {
  if (event.isPrimary) stroke = null;
}

function onPadKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { paper } = drawing, step = FINE * (event.shiftKey ? 4 : 1);
  penPlace ??= [paper.width / 2, paper.height / 2];
  if (ARROWS[event.key]) {
    const [x, y] = ARROWS[event.key];
    const place = [clamp(penPlace[0] + step * x, 0, paper.width), clamp(penPlace[1] - step * y, 0, paper.height)];
    if (penDown) drawLine(paper, penPlace, place, penRadius(), drawing.rubbing);
    penPlace = place;
  } else if (event.key === " ") {
    penDown = !penDown;
    if (penDown) drawLine(paper, penPlace, penPlace, penRadius(), drawing.rubbing);
    byId("live").textContent = penDown ? "pen down" : "pen up";
  } else if (event.key === "Delete" || event.key === "Backspace") clearPad();
  else if (event.key.toUpperCase() === "R" || event.key.toUpperCase() === "D") choosePen(event.key.toUpperCase() === "R");
  else return;
  event.preventDefault();
  paintPad();
  readDrawing();
}

function choosePen(rubbing) {
  drawing.rubbing = rubbing;
  writePens();
}

function clearPad() {
  drawing.paper = emptyPaper(width, height);
  setFitted(true);
}

function setFitted(fitted) {
  drawing.fitted = fitted;
  writePens();
  paintPad();
  readDrawing();
}

function writePens() {
  byId("pen").setAttribute("aria-pressed", !drawing.rubbing);
  byId("rubber").setAttribute("aria-pressed", drawing.rubbing);
  byId("fitted").setAttribute("aria-pressed", drawing.fitted);
  byId("pixels").nextElementSibling.textContent = `${byId("pixels").value} px`;
}

// Test images to choose from

function buildStrip() {
  const size = pixelCount * channels, bytes = Uint8Array.from(atob(data.strip), (letter) => letter.charCodeAt(0));
  for (let first = 0, k = 0; first < bytes.length; first += size, k++) {
    const image = Float32Array.from(bytes.subarray(first, first + size), (value) => value / 255);
    const name = data.stripLabels.length ? data.names[data.stripLabels[k]] : `${k + 1}`;
    const button = pictureButton(image, `Test image: ${name}`);
    button.title = name;
    button.addEventListener("click", () => chooseImage(image));
    byId("strip").append(button);
  }
}

function chooseImage(image) {
  stopWalk();
  if (channels !== 1) return setImage(image);
  drawing.paper = emptyPaper(width, height);
  layImage(drawing.paper, image);
  setFitted(false); // it is prepared already
}

// The page

async function readModel() {
  const networks = data.networks;
  readWeights([networks.encoder, networks.decoder], await unpack(networks.weights));
  return networks;
}

function buildModelPage() {
  document.documentElement.dataset.networks = "";
  base = Array.from(data.origin);
  state.code = base;
  drawing.paper = emptyPaper(width, height);
  byId("sheet").hidden = byId("pens").hidden = channels !== 1;
  byId("pad").width = drawing.paper.width;
  byId("pad").height = drawing.paper.height;
  byId("chosen").hidden = channels !== 1 && !data.strip;
  byId("strip").hidden = !data.strip;
  byId("cloud").hidden = byId("surprise").hidden = !isVariational();
  Object.assign(byId("surpriseMap"), { width, height });
  byId("surpriseMap").style.cssText = picture.style.cssText;
  buildStrip();
  buildSliders();
  writePens();
  paintPad();
  paintImage(byId("seen"), new Float32Array(width * height * channels));
  if (isVariational()) drawing.noise = Array.from({ length: SAMPLES }, () => Array.from({ length: data.latents }, normal));
  renewMap();
}

function listenToModelPage() {
  const pad = byId("pad");
  pad.addEventListener("pointerdown", onPadDown);
  pad.addEventListener("pointermove", onPadMove);
  pad.addEventListener("pointerup", onPadUp);
  pad.addEventListener("pointercancel", onPadUp);
  pad.addEventListener("keydown", onPadKey);
  byId("pen").addEventListener("click", () => choosePen(false));
  byId("rubber").addEventListener("click", () => choosePen(true));
  byId("clear").addEventListener("click", clearPad);
  byId("fitted").addEventListener("click", () => setFitted(!drawing.fitted));
  byId("pixels").addEventListener("input", writePens);
  byId("sample").addEventListener("click", drawSamples);
}
