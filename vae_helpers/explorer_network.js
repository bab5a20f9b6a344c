// The forward pass: the networks of the model, computed in the page. Numbers of an image lie row after row, and the
// channels of a pixel side by side, as in Keras.

const ACTIVATIONS = {
  linear: (a) => a,
  relu: (a) => (a > 0 ? a : 0),
  leaky_relu: (a) => (a > 0 ? a : 0.2 * a),
  elu: (a) => (a > 0 ? a : Math.expm1(a)),
  sigmoid: (a) => 1 / (1 + Math.exp(-a)),
  silu: (a) => a / (1 + Math.exp(-a)),
  softplus: (a) => softplus(a),
  tanh: (a) => Math.tanh(a),
  gelu: (a) => 0.5 * a * (1 + erf(a / Math.SQRT2)),
};

// log(1 + exp(a)), without a number too large on the way
const softplus = (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a)));

// The error function after Abramowitz and Stegun, 7.1.26: right to 1.5e-7
function erf(a) {
  const t = 1 / (1 + 0.3275911 * Math.abs(a));
  const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(a) * (1 - series * Math.exp(-a * a));
}

// The weights: text → bytes → numbers

async function unpack(text) {
  const stream = new Blob([fromBase85(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%,()*+-;.=/?@^_`{|}~";

// Five digits of base 85 are four bytes; at the end as many fewer of both.
function fromBase85(text) {
  const valueOf = new Uint8Array(128);
  Array.from(DIGITS, (digit, value) => (valueOf[digit.charCodeAt(0)] = value));
  const bytes = new Uint8Array(Math.ceil(text.length / 5) * 4), view = new DataView(bytes.buffer);
  for (let k = 0; k < text.length; k += 5) {
    let number = 0;
    for (let i = k; i < k + 5; i++) number = 85 * number + (i < text.length ? valueOf[text.charCodeAt(i)] : 84);
    view.setUint32((k / 5) * 4, number);
  }
  return bytes.subarray(0, bytes.length - ((5 - (text.length % 5)) % 5));
}

// Puts "weights" and "biases" into each step of the networks, in the order in which Python wrote them.
function readWeights(networks, bytes) {
  let place = 0;
  const take = (count) => bytes.subarray(place, (place += count));
  const takeFloats = (count) => new Float32Array(take(4 * count).slice().buffer);
  for (const step of networks.flatMap((network) => network.steps)) {
    if (!step.kernel) continue;
    const units = step.kernel.at(-1), rows = step.kernel.reduce((a, b) => a * b) / units;
    step.biases = takeFloats(step.bias);
    step.weights = readKernel(takeFloats(units), takeFloats(rows), take);
    if (step.kind === "deconv") turnKernel(step);
  }
}

// A kernel: whole numbers times the size of their row and the scale of their unit. A whole number is a signed byte and
// some low bits.
function readKernel(scales, sizes, take) {
  const units = scales.length;
  const fine = take(sizes.length), high = new Int8Array(take(sizes.length * units).slice().buffer);
  const low = bitReader(take(Math.ceil(fine.reduce((sum, bits) => sum + bits * units, 0) / 8)));
  const weights = new Float32Array(high.length);
  for (let row = 0, k = 0; row < sizes.length; row++)
    for (let unit = 0; unit < units; unit++, k++) {
      const whole = high[k] * 2 ** fine[row] + low(fine[row]);
      weights[k] = whole * sizes[row] * scales[unit];
    }
  return weights;
}

function bitReader(bytes) {
  let place = 0, held = 0, count = 0;
  return (bits) => {
    while (count < bits) {
      held = (held << 8) | bytes[place++];
      count += 8;
    }
    count -= bits;
    const value = held >> count;
    held &= (1 << count) - 1;
    return value;
  };
}

// Keras stores the kernel of a transposed convolution as (height, width, out, in); here it is (height, width, in, out).
function turnKernel(step) {
  const [height, width, outs, ins] = step.kernel, turned = new Float32Array(step.weights.length);
  for (let p = 0; p < height * width; p++)
    for (let o = 0; o < outs; o++)
      for (let i = 0; i < ins; i++) turned[(p * ins + i) * outs + o] = step.weights[(p * outs + o) * ins + i];
  step.weights = turned;
  step.kernel = [height, width, ins, outs];
}

// One network: an array of numbers → its outputs, an array of numbers each

function runNetwork(network, input) {
  const results = [];
  for (const step of network.steps) results.push(runStep(step, step.from < 0 ? input : results[step.from]));
  return network.outputs.map((k) => results[k]);
}

const KINDS = { dense, conv, deconv, activation: (step, input) => Float32Array.from(input), same: (step, input) => input };

function runStep(step, input) {
  const result = KINDS[step.kind](step, input);
  if (step.activation && step.activation !== "linear") {
    const activation = ACTIVATIONS[step.activation];
    for (let k = 0; k < result.length; k++) result[k] = activation(result[k]);
  }
  return result;
}

// result[first…] += number * weights[row…]: the inner loop of all three kinds of layers
function addRow(result, first, number, weights, row, count) {
  for (let k = 0; k < count; k++) result[first + k] += number * weights[row + k];
}

// An array in which each of `places` begins with the biases (or 0)
function startWithBiases(step, places, units) {
  const result = new Float32Array(places * units);
  if (step.bias) for (let place = 0; place < places; place++) result.set(step.biases, place * units);
  return result;
}

function dense(step, input) {
  const [ins, outs] = step.kernel, places = input.length / ins;
  const result = startWithBiases(step, places, outs);
  for (let k = 0; k < input.length; k++)
    if (input[k] !== 0) addRow(result, Math.floor(k / ins) * outs, input[k], step.weights, (k % ins) * outs, outs);
  return result;
}

// How far the first window reaches out of the image, as TensorFlow pads with "same"
function paddingBefore(step, large, small, axis) {
  if (step.padding !== "same") return 0;
  return Math.floor(Math.max((small - 1) * step.strides[axis] + step.kernel[axis] - large, 0) / 2);
}

// Calls visit(far place, near place, kernel place) for all pairs that a convolution joins. The near image is the small
// one, each of whose pixels sees a window of the large one.
function eachPair(step, [largeHeight, largeWidth], [smallHeight, smallWidth], visit) {
  const [kernelHeight, kernelWidth] = step.kernel, [down, right] = step.strides;
  const top = paddingBefore(step, largeHeight, smallHeight, 0), left = paddingBefore(step, largeWidth, smallWidth, 1);
  for (let y = 0; y < smallHeight; y++)
    for (let x = 0; x < smallWidth; x++)
      for (let i = 0; i < kernelHeight; i++) {
        const row = y * down + i - top;
        if (row < 0 || row >= largeHeight) continue;
        for (let j = 0; j < kernelWidth; j++) {
          const column = x * right + j - left;
          if (column < 0 || column >= largeWidth) continue;
          visit(row * largeWidth + column, y * smallWidth + x, i * kernelWidth + j);
        }
      }
}

function conv(step, input) {
  const [, , ins, outs] = step.kernel, { weights } = step;
  const result = startWithBiases(step, step.result[0] * step.result[1], outs);
  eachPair(step, step.shape, step.result, (far, near, place) => {
    for (let c = 0; c < ins; c++) {
      const number = input[far * ins + c];
      if (number !== 0) addRow(result, near * outs, number, weights, (place * ins + c) * outs, outs);
    }
  });
  return result;
}

// The same pairs the other way round: each pixel of the small image is stamped onto its window of the large one.
function deconv(step, input) {
  const [, , ins, outs] = step.kernel, { weights } = step;
  const result = startWithBiases(step, step.result[0] * step.result[1], outs);
  eachPair(step, step.result, step.shape, (far, near, place) => {
    for (let c = 0; c < ins; c++) {
      const number = input[near * ins + c];
      if (number !== 0) addRow(result, far * outs, number, weights, (place * ins + c) * outs, outs);
    }
  });
  return result;
}

// The model

const LOG_VAR_LIMIT = 20; // as in the package

// An image → { mean, logVar }; an autoencoder has no logVar.
function encodeImage(model, image) {
  const [mean, logVar] = runNetwork(model.encoder, image);
  const limited = logVar && logVar.map((value) => Math.min(Math.max(value, -LOG_VAR_LIMIT), LOG_VAR_LIMIT));
  return { mean, logVar: limited };
}

const decodeCode = (model, code) => runNetwork(model.decoder, Float32Array.from(code))[0];

// What the decoder gives → the mean of each pixel
const pixelMeans = (model, outputs) => (model.mean === "sigmoid" ? outputs.map(ACTIVATIONS.sigmoid) : outputs);

// What each pixel of an image costs: -log p(pixel | outputs) in nats, or its squared error; null for another likelihood.
function pixelCosts(model, image, outputs) {
  if (model.reconstruction === "bernoulli") return outputs.map((logit, k) => softplus(logit) - image[k] * logit);
  if (model.reconstruction === "squared_error")
    return pixelMeans(model, outputs).map((mean, k) => (image[k] - mean) ** 2);
  return null;
}

// KL(q(z|x) ‖ N(0, 1)) of each latent, in nats
const klOfLatents = ({ mean, logVar }) =>
  Array.from(mean, (value, k) => 0.5 * (value * value + Math.expm1(logVar[k]) - logVar[k]));
