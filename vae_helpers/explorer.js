const data = JSON.parse(document.getElementById("data").textContent);
const [height, width, channels] = data.shape;
const pixelCount = height * width;
const [dotsX, dotsY] = data.dots;
const hasLabels = data.labels.length > 0;

const WALK_STEPS = 10; // of a walk for readers who asked for less motion
const SPEAK_MS = 600; // between two sentences for a screen reader
const CLOUD = "#ff8c1a"; // a colour that no class has
const TAP_PX = 7; // a pointer that moves further than this drags

const byId = (id) => document.getElementById(id);
const plane = byId("plane"), ground = byId("ground"), marks = byId("marks"), picture = byId("picture");

const state = {
  position: [0, 0],
  pins: { A: data.ends[0], B: data.ends[1] },
  nextPin: "A",
  walking: false,
  progress: 0, // of the walk, from 0 at A to 1 at B
  walkMs: 5000,
  map: true,
  points: dotsX.length > 0,
  hidden: new Set(), // classes that are switched off
};
let atlas = null; // tile after tile, row after row from the lowest second latent
let area = null; // where the plane lies on its canvas, in CSS pixels
let lastMs = 0; // script time of the last pointer move

// The atlas: decoded images on a grid, and what lies between them.

async function readAtlas() {
  const image = new Image();
  image.src = data.atlas;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return sortIntoTiles(context.getImageData(0, 0, image.width, image.height).data);
}

// The PNG holds one small map per pixel (it compresses better); mixing is faster tile by tile.
function sortIntoTiles(rgba) {
  const n = data.tiles;
  const tiles = new Uint8Array(n * n * pixelCount * channels);
  let k = 0;
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++)
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++)
          for (let c = 0; c < channels; c++) tiles[k++] = rgba[4 * ((y * n + i) * width * n + x * n + j) + c];
  return tiles;
}

// Privacy protection in some browsers changes the pixels that a page reads.
function atlasIsTrue() {
  const sum = atlas.reduce((total, value) => total + value, 0);
  return Math.abs(sum - data.atlasSum) <= 0.001 * (data.atlasSum + atlas.length);
}

// Mixes the four tiles around a position (bilinear) into rgba, as bytes.
function mix([u, v], rgba) {
  const n = data.tiles, size = pixelCount * channels;
  const column = clamp(((u / data.limit + 1) / 2) * (n - 1), 0, n - 1);
  const row = clamp(((v / data.limit + 1) / 2) * (n - 1), 0, n - 1);
  const j = Math.min(Math.floor(column), n - 2), i = Math.min(Math.floor(row), n - 2);
  const a = column - j, b = row - i;
  const near = (i * n + j) * size, right = near + size, above = near + n * size, across = above + size;
  for (let p = 0; p < pixelCount; p++) {
    for (let c = 0; c < 3; c++) {
      const k = p * channels + (channels === 3 ? c : 0);
      rgba[4 * p + c] =
        (1 - b) * ((1 - a) * atlas[near + k] + a * atlas[right + k]) +
        b * ((1 - a) * atlas[above + k] + a * atlas[across + k]);
    }
    rgba[4 * p + 3] = 255;
  }
}

// Positions

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const toPixels = ([u, v]) => [
  area.left + ((u / data.limit + 1) / 2) * area.side,
  area.top + ((1 - v / data.limit) / 2) * area.side,
];

function toLatents(event) {
  const box = plane.getBoundingClientRect();
  return [
    (2 * ((event.clientX - box.left - area.left) / area.side) - 1) * data.limit,
    (1 - 2 * ((event.clientY - box.top - area.top) / area.side)) * data.limit,
  ];
}

function moveTo(position) {
  if (!position.every(Number.isFinite)) return;
  state.position = position.map((value) => clamp(value, -data.limit, data.limit));
  if (model) {
    state.code = codeAt(state.position);
    return showCode();
  }
  drawPicture();
  drawMarks();
  writeReadout();
  speakSoon();
}

function nearestClass() {
  if (!hasLabels) return null;
  const [u, v] = state.position;
  let best = Infinity, nearest = null;
  for (let k = 0; k < dotsX.length; k++) {
    const distance = (dotsX[k] - u) ** 2 + (dotsY[k] - v) ** 2;
    if (distance < best && !state.hidden.has(data.labels[k])) {
      best = distance;
      nearest = data.labels[k];
    }
  }
  return nearest;
}

// "0.40"; the sum turns -0 into 0
const twoDigits = (value) => (Math.round(100 * value) / 100 + 0).toFixed(2);

function writeReadout() {
  state.position.forEach((value, k) => {
    byId("position").children[k].textContent = `${data.axes[k][0]} = ${twoDigits(value).replace("-", "−")}`;
  });
  state.nearest = nearestClass();
  if (!hasLabels) return;
  const [swatch, , name] = byId("nearest").children;
  swatch.style.background = state.nearest === null ? "none" : colorOf(state.nearest);
  name.textContent = nearestName();
}

const nearestName = () => (state.nearest === null ? "none" : data.names[state.nearest]);

let speaking = 0;
function speakSoon() {
  if (!speaking) speaking = setTimeout(speak, SPEAK_MS);
}

function speak() {
  speaking = 0;
  if (state.walking) return speakSoon();
  const parts = state.position.map((value, k) => `${data.axes[k][1]} ${twoDigits(value)}`);
  if (hasLabels) parts.push(`nearest class: ${nearestName()}`);
  if (model && drawing.image) parts.push(spokenCost());
  byId("live").textContent = parts.join(", ");
}

// Drawing

const colorOf = (label) => data.colors[label % data.colors.length];
const themeColor = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const isDark = () => document.documentElement.dataset.theme === "dark";

const pictureContext = picture.getContext("2d", { willReadFrequently: true });
let picturePixels = null;
function drawPicture() {
  if (model) decodeHere(picturePixels.data);
  else mix(state.position, picturePixels.data);
  pictureContext.putImageData(picturePixels, 0, 0);
}

// Fits a canvas to the plane at the screen's resolution, and clears it.
function prepare(canvas) {
  const scale = window.devicePixelRatio || 1, side = plane.clientWidth;
  const context = canvas.getContext("2d");
  if (canvas.width !== Math.round(side * scale)) canvas.width = canvas.height = Math.round(side * scale);
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, side, side);
  return context;
}

function drawGround() {
  const em = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const left = 2.9 * em, top = 0.5 * em;
  area = { left, top, side: plane.clientWidth - left - top, em };
  const context = prepare(ground);
  context.fillStyle = themeColor("card");
  context.fillRect(area.left, area.top, area.side, area.side);
  context.save();
  context.beginPath();
  context.rect(area.left, area.top, area.side, area.side);
  context.clip();
  if (state.map) drawMap(context);
  drawGrid(context);
  if (state.points) drawDots(context);
  context.restore();
  drawAxes(context);
}

// Grey images are drawn in the ink of the theme, white as full ink, so that the dots stay in front.
function drawMap(context) {
  const columns = model ? map.columns : clamp(Math.round(area.side / 30), 6, 24);
  const rows = Math.max(2, Math.round((columns * width) / height));
  const canvas = document.createElement("canvas");
  canvas.width = columns * width;
  canvas.height = rows * height;
  const target = canvas.getContext("2d"), tile = target.createImageData(width, height);
  const [red, green, blue] = isDark() ? [236, 238, 242] : [27, 34, 48];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      if (model && !map.tiles[row * columns + column]) continue;
      if (model) fillPixels(map.tiles[row * columns + column], tile.data);
      else mix([(2 * column + 1) / columns - 1, 1 - (2 * row + 1) / rows].map((k) => k * data.limit), tile.data);
      for (let p = 0; channels === 1 && p < tile.data.length; p += 4) {
        tile.data.set([red, green, blue, tile.data[p]], p);
      }
      target.putImageData(tile, column * width, row * height);
    }
  }
  context.globalAlpha = state.points ? 0.32 : 0.75;
  context.imageSmoothingQuality = "high";
  context.drawImage(canvas, area.left, area.top, area.side, area.side);
  context.globalAlpha = 1;
}

// A step of 1, 2 or 5 times a power of ten that gives three to seven ticks on each side of 0.
function tickStep() {
  const rough = data.limit / 5, power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((k) => k * power).find((step) => step >= rough);
}

function ticks() {
  const step = tickStep(), last = Math.floor(data.limit / step + 1e-9);
  return Array.from({ length: 2 * last + 1 }, (_, k) => (k - last) * step);
}

function drawGrid(context) {
  context.lineWidth = 1;
  for (const tick of ticks()) {
    context.strokeStyle = themeColor("line");
    context.globalAlpha = tick === 0 ? 1 : state.map ? 0.25 : 0.6;
    const [x, y] = toPixels([tick, tick]);
    context.strokeRect(x, area.top - 1, 0, area.side + 2);
    context.strokeRect(area.left - 1, y, area.side + 2, 0);
  }
  context.globalAlpha = 1;
}

function drawDots(context) {
  const radius = clamp(area.side / 210, 1.8, 4);
  const outlines = data.colors.map(outlineOf);
  context.globalAlpha = 0.85;
  for (let k = 0; k < dotsX.length; k++) {
    const label = hasLabels ? data.labels[k] : 0;
    if (state.hidden.has(label)) continue;
    const stroke = outlines[label % outlines.length];
    circle(context, toPixels([dotsX[k], dotsY[k]]), radius, { fill: colorOf(label), stroke, thickness: 0.9 });
  }
  context.globalAlpha = 1;
}

// Dark dots on dark ground get a light outline; all others one that parts them from their neighbours.
function outlineOf(color) {
  const [red, green, blue] = [1, 3, 5].map((k) => parseInt(color.slice(k, k + 2), 16));
  const dark = 0.3 * red + 0.6 * green + 0.1 * blue < 60;
  return themeColor(dark ? "rim" : "halo");
}

function drawAxes(context) {
  const decimals = Math.max(0, -Math.floor(Math.log10(tickStep()) + 1e-9));
  const bottom = area.top + area.side;
  context.strokeStyle = themeColor("line");
  context.strokeRect(area.left, area.top, area.side, area.side);
  context.fillStyle = themeColor("soft");
  context.font = `${0.85 * area.em}px system-ui, sans-serif`;
  for (const tick of ticks()) {
    const [x, y] = toPixels([tick, tick]), text = tick.toFixed(decimals).replace("-", "−");
    context.textAlign = "center";
    context.textBaseline = "top";
    context.fillText(text, x, bottom + 0.35 * area.em);
    context.textAlign = "right";
    context.textBaseline = "middle";
    context.fillText(text, area.left - 0.4 * area.em, y);
  }
  context.textAlign = "center";
  context.textBaseline = "middle";
  const middle = area.side / 2, far = 2.2 * area.em;
  context.fillText(`${data.axes[0][0]} (latent units)`, area.left + middle, bottom + far);
  context.translate(area.left - far, area.top + middle);
  context.rotate(-Math.PI / 2);
  context.fillText(`${data.axes[1][0]} (latent units)`, 0, 0);
}

function drawMarks() {
  const context = prepare(marks);
  const ink = themeColor("ink"), halo = themeColor("halo"), accent = themeColor("accent");
  const [a, b, here] = [state.pins.A, state.pins.B, state.position].map(toPixels);
  line(context, a, b, halo, 4, []);
  line(context, a, b, ink, 1.6, [5, 4]);
  line(context, [here[0], area.top + area.side], here, accent, 1, []);
  line(context, [area.left, here[1]], here, accent, 1, []);
  if (isVariational() && drawing.posterior) drawCloud(context, ink, halo);
  pin(context, a, "A", ink, halo);
  pin(context, b, "B", ink, halo);
  circle(context, here, 0.85 * area.em, { stroke: halo, thickness: 6 });
  circle(context, here, 0.85 * area.em, { stroke: accent, thickness: 3 });
}

// The cloud q(z|x): its ellipses at one and two standard deviations, and its samples
function drawCloud(context, ink, halo) {
  const { center, axes, angle } = cloudEllipse(), perUnit = area.side / 2 / data.limit;
  context.save();
  context.beginPath();
  context.rect(area.left, area.top, area.side, area.side);
  context.clip();
  for (const times of [2, 1]) {
    const [long, short] = axes.map((value) => Math.max(times * value * perUnit, 1.5));
    context.beginPath();
    context.ellipse(...toPixels(center), long, short, -angle, 0, 2 * Math.PI); // on the screen y points down
    for (const [color, thickness] of [[halo, 5], [CLOUD, 2.5]]) {
      context.strokeStyle = color;
      context.lineWidth = thickness;
      context.stroke();
    }
  }
  for (const code of sampleCodes())
    circle(context, toPixels(project(code)), 0.22 * area.em, { fill: CLOUD, stroke: ink, thickness: 1 });
  context.restore();
}

function line(context, from, to, color, thickness, dash) {
  context.strokeStyle = color;
  context.lineWidth = thickness;
  context.setLineDash(dash);
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(...to);
  context.stroke();
  context.setLineDash([]);
}

function pin(context, center, name, ink, halo) {
  circle(context, center, 0.68 * area.em, { fill: ink, stroke: halo, thickness: 2 });
  context.fillStyle = themeColor("card");
  context.font = `700 ${0.85 * area.em}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(name, center[0], center[1] + 0.05 * area.em);
}

function circle(context, [x, y], radius, { fill, stroke, thickness }) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = fill ?? "transparent";
  context.fill();
  context.strokeStyle = stroke;
  context.lineWidth = thickness;
  context.stroke();
}

// The walk from A to B

function setPin(name, position = state.position) {
  state.pins[name] = position.map((value) => clamp(value, -data.limit, data.limit));
  state.nextPin = name === "A" ? "B" : "A";
  state.progress = 0;
  stopWalk();
  drawMarks();
}

function toggleWalk() {
  if (state.walking) return stopWalk();
  if (state.progress >= 1) state.progress = 0;
  state.walking = true;
  writeButtons();
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let before = performance.now();
  requestAnimationFrame(function step(now) {
    if (!state.walking) return;
    state.progress = clamp(state.progress + clamp(now - before, 0, 100) / state.walkMs, 0, 1);
    before = now;
    const t = calm ? Math.floor(WALK_STEPS * state.progress) / WALK_STEPS : state.progress;
    moveTo(state.pins.A.map((value, k) => (1 - t) * value + t * state.pins.B[k]));
    if (state.progress >= 1) stopWalk();
    else requestAnimationFrame(step);
  });
}

function stopWalk() {
  state.walking = false;
  writeButtons();
}

function surprise() {
  stopWalk();
  let z, tries = 0; // where codes lie far from the prior, hardly any draw falls on the plane: then to its border
  do z = data.priorCenter.map((value) => value + normal());
  while (z.some((value) => Math.abs(value) > data.limit) && ++tries < 1000);
  moveTo(z);
}

// A draw from N(0, 1) after Box and Muller
const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());

// Pointer and keys

let pressed = null; // where the pointer went down, while it has not moved

function onPointerMove(event) {
  const start = performance.now();
  if (!event.isPrimary) return;
  if (pressed && Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) > TAP_PX) pressed = null;
  if (event.buttons || !state.walking) moveTo(toLatents(event)); // a mouse that only passes does not disturb a walk
  lastMs = performance.now() - start;
}

function onPointerDown(event) {
  if (!event.isPrimary || event.button !== 0) return;
  plane.setPointerCapture(event.pointerId);
  pressed = state.walking ? null : { x: event.clientX, y: event.clientY }; // a press that ends a walk sets no pin
  stopWalk();
  moveTo(toLatents(event));
}

function onPointerUp(event) {
  if (pressed && event.isPrimary) setPin(state.nextPin, toLatents(event));
  pressed = null;
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

function onKeyDown(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toUpperCase();
  if (ARROWS[event.key]) {
    const step = (tickStep() / 10) * (event.shiftKey ? 5 : 1);
    stopWalk();
    moveTo(state.position.map((value, k) => value + step * ARROWS[event.key][k]));
  } else if (key === "A" || key === "B") setPin(key);
  else if (key === " ") toggleWalk();
  else return;
  event.preventDefault();
}

// The page around the plane

function writeButtons() {
  byId("play").textContent = state.walking ? "Pause" : "Play A to B";
  byId("map").setAttribute("aria-pressed", state.map);
  byId("points").setAttribute("aria-pressed", state.points);
  byId("theme").textContent = isDark() ? "Bright theme" : "Dark theme";
}

function toggle(what) {
  state[what] = !state[what];
  writeButtons();
  drawGround();
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  writeButtons();
  drawGround();
  drawMarks();
  if (model) paintSurprise();
}

function buildLegend() {
  const labels = [...new Set(data.labels)].sort((a, b) => a - b);
  for (const label of labels) {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "true");
    button.append(span("swatch", ""), span("", data.names[label]));
    button.firstChild.style.background = colorOf(label);
    button.addEventListener("click", () => switchClass(label, button));
    byId("legend").append(button);
  }
  byId("points").hidden = dotsX.length === 0;
}

function switchClass(label, button) {
  if (!state.hidden.delete(label)) state.hidden.add(label);
  button.setAttribute("aria-pressed", !state.hidden.has(label));
  drawGround();
  writeReadout();
  speakSoon();
}

function span(className, text) {
  const element = document.createElement("span");
  element.className = className;
  element.textContent = text;
  return element;
}

function noteText() {
  const sentences = model ? networkSentences() : atlasSentences();
  const outside = dotsX.filter((u, k) => Math.max(Math.abs(u), Math.abs(dotsY[k])) > data.limit).length;
  if (outside) sentences.push(`${outside} of ${dotsX.length} dots lie outside the plane.`);
  if (data.axes[0][0] === "PC 1") sentences.push("PC 1 and PC 2 are the two principal directions of the codes.");
  else if (data.latents > 2 && !model) sentences.push(`The other ${data.latents - 2} latents are 0.`);
  if (data.latents > 2 && model) sentences.push("The other latents are those of the drawing, or of the sliders.");
  if (data.latents > 2 && dotsX.length)
    sentences.push(`Dots${hasLabels ? " and nearest class" : ""} are projections: they lie beside this plane.`);
  if (!model && !atlasIsTrue())
    sentences.push("This browser changes pixels that a page reads, so the picture is not exact.");
  return sentences.join(" ");
}

function atlasSentences() {
  const tiles = `${data.tiles} × ${data.tiles}`, percent = (100 * data.worstError).toFixed(1);
  const sentences = [
    `The decoder made ${tiles} images; the page mixes the four nearest.`,
    `Halfway between them it differs from the decoder by at most ${percent}% of full brightness (mean over pixels).`,
  ];
  if (data.why) sentences.push(`The networks are not in the page: ${data.why}.`);
  return sentences;
}

function buildPage() {
  document.title = byId("title").textContent = data.title;
  byId("position").append(span("", ""), span("", ""));
  byId("nearest").append(span("swatch", ""), span("", "nearest class: "), span("name", ""));
  byId("nearest").hidden = byId("legend").hidden = !hasLabels;
  picture.width = width;
  picture.height = height;
  picture.style.width = `calc(var(--column) * ${Math.min(1, width / height)})`;
  picture.style.height = `calc(var(--column) * ${Math.min(1, height / width)})`;
  picturePixels = new ImageData(width, height);
  byId("note").textContent = noteText();
  buildLegend();
}

function listen() {
  plane.addEventListener("pointermove", onPointerMove);
  plane.addEventListener("pointerdown", onPointerDown);
  plane.addEventListener("pointerup", onPointerUp);
  plane.addEventListener("pointercancel", () => (pressed = null));
  plane.addEventListener("keydown", onKeyDown);
  byId("play").addEventListener("click", toggleWalk);
  byId("surprise").addEventListener("click", surprise);
  byId("setA").addEventListener("click", () => setPin("A"));
  byId("setB").addEventListener("click", () => setPin("B"));
  byId("map").addEventListener("click", () => toggle("map"));
  byId("points").addEventListener("click", () => toggle("points"));
  byId("theme").addEventListener("click", () => setTheme(isDark() ? "bright" : "dark"));
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "bright"));
  new ResizeObserver(() => (drawGround(), drawMarks())).observe(plane);
}

async function start() {
  if (data.networks) model = await readModel();
  else atlas = await readAtlas();
  document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "bright";
  buildPage();
  if (model) buildModelPage();
  drawGround();
  writeButtons();
  moveTo(state.pins.A);
  listen();
  if (model) listenToModelPage();
  document.documentElement.dataset.ready = "";
}

// What a test, or a curious reader in the console, can ask and do.
window.explorer = {
  data,
  state,
  moveTo,
  toScreen: (position) => {
    const box = plane.getBoundingClientRect(), [x, y] = toPixels(position);
    return [box.left + x, box.top + y];
  },
  pixels: () =>
    Array.from(pictureContext.getImageData(0, 0, width, height).data).filter((_, k) => k % 4 < channels),
  lastMs: () => lastMs,
  // With the networks in the page
  model: () => model,
  drawing,
  encode: (image) => encodeImage(model, image),
  decode: (code) => pixelMeans(model, decodeCode(model, code)),
  cost: (image, code) => sum(pixelCosts(model, image, decodeCode(model, code))),
  setImage,
  lastStrokeMs: () => lastStrokeMs,
};
start().catch(() => {
  const old = data.networks && !window.DecompressionStream;
  byId("note").textContent = old
    ? "This browser is too old to read the networks of this page: take one from 2023 or later."
    : "The images of this page could not be read. Make the page again.";
});
