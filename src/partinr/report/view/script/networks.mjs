// Trained networks in a fragment shader: of every pixel, the networks of the regions that it belongs to.
import { listOf } from "./axes.mjs";
import { layersOf } from "./trained.mjs";
import { MAIN, Program, Texture } from "./gl.mjs";
import { SINES, ownFrame } from "./own.mjs";
import { cellsOf } from "./regions.mjs";

/**
 * @typedef {import("./header.mjs").Inr} Inr
 * @typedef {import("./header.mjs").Network} Network
 * @typedef {import("./function.mjs").Evaluator} Evaluator
 */

const KINDS = ["siren", "finer", "gauss", "relu", "fourier", "wire", "cosine"];

const WAVES = `${SINES}
vec4 sines(vec4 t) { return vec4(sineTurns(t.x), sineTurns(t.y), sineTurns(t.z), sineTurns(t.w)); }
vec4 sine(vec4 z) { return sines(z * 0.15915494309189535); }
vec4 cosine(vec4 z) { return sines(z * 0.15915494309189535 + 0.25); }`;

// Turns of the phase 2^(k - 1) u, exactly: u is a whole number of 24 bits times a power of two, so a window of the bits of
// 1 / (2 pi) times that number has all that counts (Payne, Hanek, "Radian reduction for trigonometric functions", 1983).
const BITS = [0x28be60db, 0x9391054a, 0x7f09d5f4, 0x7d4d3770, 0x36d8a566, 0x4f10e410, 0x7f9458ea, 0xf7aef158];
const PHASES = `
const uint INVERSE[8] = uint[8](${BITS.map((word) => `${word}u`).join(", ")});
uint inverseBits(int at) {
  if (at <= -32 || at >= 224) return 0u;
  int word = at >= 0 ? at >> 5 : -1, shift = at - 32 * word;
  uint here = word < 0 ? 0u : INVERSE[word], next = word < 7 ? INVERSE[word + 1] : 0u;
  return shift == 0 ? here : (here << shift) | (next >> (32 - shift));
}
float turnsOf(float u, int k) {
  uint bits = floatBitsToUint(u);
  int exponent = int((bits >> 23) & 255u);
  if (exponent == 0) return 0.0;
  uint m = (bits & 0x7fffffu) | 0x800000u;
  int at = exponent - 150 + k - 1;
  uint next = inverseBits(at + 32) >> 16;
  uint carried = ((m >> 12) * next + (((m & 0xfffu) * next) >> 12)) >> 4;
  uint whole = m * inverseBits(at) + carried;
  float turns = float(int(whole)) / 4294967296.0;
  return u < 0.0 ? -turns : turns;
}`;

/** @type {{[name: string]: string}} activations of z with omega and other numbers p */
const ACTIVATIONS = {
  siren: "return sine(omega * z);",
  finer: "return sine(omega * (abs(z) + 1.0) * z);",
  gauss: "return exp(-z * z * p.x);",
  relu: "return max(z, 0.0);",
  fourier: "return max(z, 0.0);",
};

/** @type {{[name: string]: string}} features h of own coordinates u, where they are not these themselves */
const FEATURES = {
  relu: `
    for (int i = 0, a = 3 - DIMS; a < 3; a++)
      for (int k = 0; k < int(p.x); k++, i++) {
        float t = turnsOf(u[a], k);
        int j = i + int(p.y);
        h[i >> 2][i & 3] = sineTurns(t);
        h[j >> 2][j & 3] = sineTurns(t + 0.25);
      }`,
  fourier: `
    for (int i = 0; i < int(p.y); i++) {
      float t = dot(u, entry(matrices, int(p.x) + i).xyz) * 0.15915494309189535;
      int j = i + int(p.y);
      h[i >> 2][i & 3] = sineTurns(t);
      h[j >> 2][j & 3] = sineTurns(t + 0.25);
    }`,
};

const AFFINE = `
// z = h W + b, four columns at a time; returns where the next layer begins.
int affine(int at, int fanIn, int fanOut) {
  for (int i = 0; i < fanOut; i++) {
    vec4 sum = parameter(at++);
    for (int j = 0; j < fanIn; j++, at += 4)
      sum += h[j].x * parameter(at) + h[j].y * parameter(at + 1) + h[j].z * parameter(at + 2) + h[j].w * parameter(at + 3);
    z[i] = sum;
  }
  return at;
}`;

const PERCEPTRON = `
vec4 perceptron(int at, int kind, vec4 shape, vec4 p, vec3 u) {
  int fanIn = int(shape.x), hidden = int(shape.y), layers = int(shape.z);
  features(kind, p, u);
  for (int layer = 0; layer <= layers; layer++) {
    at = affine(at, layer == 0 ? fanIn : hidden, hidden);
    float omega = layer == 0 ? p.z : p.w;
    for (int i = 0; i < hidden; i++) h[i] = activation(kind, z[i], omega, p);
  }
  affine(at + block * (1 + 4 * hidden), hidden, 1);
  return z[0];
}`;

// Complex numbers: h and z have the real parts, hi and zi the imaginary ones.
const WIRE = `
vec4 hi[WIDEST], zi[WIDEST];
int complexAffine(int at, int fanIn, int fanOut) {
  for (int i = 0; i < fanOut; i++) {
    vec4 re = parameter(at), im = parameter(at + 1);
    at += 2;
    for (int j = 0; j < fanIn; j++)
      for (int k = 0; k < 4; k++, at += 2) {
        vec4 a = parameter(at), b = parameter(at + 1);
        float x = h[j][k], y = hi[j][k];
        re += x * a - y * b;
        im += x * b + y * a;
      }
    z[i] = re;
    zi[i] = im;
  }
  return at;
}
vec4 wire(int at, vec4 shape, vec4 p, vec3 u) {
  int fanIn = int(shape.x), hidden = int(shape.y), layers = int(shape.z);
  features(-1, p, u);
  for (int layer = 0; layer <= layers; layer++) {
    if (layer == 0) {
      at = affine(at, fanIn, hidden);
      for (int i = 0; i < hidden; i++) zi[i] = vec4(0);
    } else at = complexAffine(at, hidden, hidden);
    float omega = layer == 0 ? p.z : p.w;
    for (int i = 0; i < hidden; i++) {
      vec4 size = exp(-omega * zi[i] - p.x * (z[i] * z[i] + zi[i] * zi[i])), phase = omega * z[i];
      h[i] = size * cosine(phase);
      hi[i] = size * sine(phase);
    }
  }
  complexAffine(at + block * 2 * (1 + 4 * hidden), hidden, 1);
  return z[0];
}`;

const COSINES = `
vec4 cosines(int at, vec4 shape, vec4 p, vec3 u) {
  int m = int(p.x), blocks = int(shape.w);
  vec3 turns = (u + 1.0) * 0.25;
  vec4 sum = vec4(0);
  at += block;
  for (int i = 0; i < (DIMS > 2 ? m : 1); i++)
    for (int j = 0; j < (DIMS > 1 ? m : 1); j++) {
      float outer = sineTurns(float(i) * turns.x + 0.25) * sineTurns(float(j) * turns.y + 0.25);
      for (int k = 0; k < m; k++, at += blocks) sum += outer * sineTurns(float(k) * turns.z + 0.25) * parameter(at);
    }
  return sum;
}`;

/**
 * @param {string[]} kinds names of the networks that occur
 * @param {number} dims
 * @param {number} widest numbers between layers, in fours
 */
function networksShader(kinds, dims, widest) {
  /** @type {(name: string) => string} */
  const is = (name) => `kind == ${KINDS.indexOf(name)}`;
  const layered = kinds.filter((name) => name in ACTIVATIONS), encoded = kinds.filter((name) => name in FEATURES);
  return `
#define DIMS ${dims}
#define WIDEST ${widest}
uniform sampler2D axes, parameters, regions, groups, matrices, pairs;
uniform usampler2D cells;
uniform int block, line, columns, stride;
uniform uint zero;
uniform float plane;
out vec4 values;
vec4 h[WIDEST], z[WIDEST];
vec4 parameter(int i) { return entry(parameters, i); }
${WAVES}
${encoded.includes("relu") ? PHASES : ""}
void features(int kind, vec4 p, vec3 u) {
  ${encoded.map((name) => `if (${is(name)}) { for (int i = 0; i < WIDEST; i++) h[i] = vec4(0); ${FEATURES[name]} return; }`).join("\n")}
  h[0] = vec4(${["u.z, 0, 0, 0", "u.yz, 0, 0", "u, 0"][dims - 1]});
}
vec4 activation(int kind, vec4 z, float omega, vec4 p) {
  ${layered.map((name) => `if (${is(name)}) { ${ACTIVATIONS[name]} }`).join("\n")}
  return z;
}
${AFFINE}
${layered.length ? PERCEPTRON : ""}
${kinds.includes("wire") ? WIRE : ""}
${kinds.includes("cosine") ? COSINES : ""}
// A number that is rounded here: the compiler cannot know that zero is 0.
vec3 rounded(vec3 x) { return uintBitsToFloat(floatBitsToUint(x) ^ zero); }
vec4 network(int region, vec3 x) {
  vec4 own = entry(regions, 3 * region);
  vec3 scale = entry(regions, 3 * region + 1).xyz, shift = entry(regions, 3 * region + 2).xyz;
  vec3 u = rounded(x * scale) + shift;
  int at = int(own.x), kind = int(own.z);
  vec4 shape = entry(groups, 2 * int(own.y)), p = entry(groups, 2 * int(own.y) + 1);
  ${kinds.includes("wire") ? `if (${is("wire")}) return wire(at, shape, p, u);` : ""}
  ${kinds.includes("cosine") ? `if (${is("cosine")}) return cosines(at, shape, p, u);` : ""}
  ${layered.length ? "return perceptron(at, kind, shape, p, u);" : "return vec4(0);"}
}
${MAIN}
  if (line > 0) pixel = ivec2(min(pixel.y * line + pixel.x, columns - 1), 0);
  vec4 column = entry(axes, pixel.x), row = entry(axes, columns + pixel.y);
  vec3 x = vec3(plane, row.x, column.x);
  uint cell = texelFetch(cells, place(int(row.y) * stride + int(column.y)), 0).x;
  if (cell < 0x80000000u) {
    values = network(int(cell), x);
    return;
  }
  int at = int(cell & 0x7fffffffu), count = int(entry(pairs, at).x);
  vec4 corner = vec4((1.0 - row.z) * vec2(1.0 - column.z, column.z), row.z * vec2(1.0 - column.z, column.z));
  values = vec4(0);
  for (int i = 0; i < count; i++) {
    float weight = dot(entry(pairs, at + 2 + 2 * i), corner);
    if (weight > 0.0) values += weight * network(int(entry(pairs, at + 1 + 2 * i).x), x);
  }
}`;
}

/** @implements {Evaluator} */
export class Networks {
  /**
   * @param {import("./gl.mjs").GL} gl
   * @param {Inr} inr
   */
  constructor(gl, inr) {
    const { signal, groups, groupOf, regions } = inr, dims = signal.shape.length;
    const packed = groups.map((group) => packedGroup(group, dims, signal.channels));
    const widest = Math.max(...packed.map((own) => own.widest));
    const kinds = [...new Set(groups.map(({ network }) => network.name))];
    this.program = new Program(gl, networksShader(kinds, dims, widest));
    /** @type {number[]} */
    const matrices = [];
    const records = groups.map(({ network }, g) => [...packed[g].shape, ...numbersOf(network, dims, matrices)]);
    /** @type {number[]} */
    const firsts = [];
    let total = 0;
    for (const own of packed) firsts.push(total), (total += own.numbers.length / 4);
    const parameters = new Float32Array(4 * total), places = new Float32Array(regions * 12);
    packed.forEach((own, g) => parameters.set(own.numbers, 4 * firsts[g]));
    const member = new Int32Array(groups.length);
    for (let r = 0; r < regions; r++) {
      const g = groupOf[r];
      places.set([firsts[g] + member[g]++ * packed[g].each, g, KINDS.indexOf(groups[g].network.name), 0], 12 * r);
      for (let a = 0; a < dims; a++) {
        const [scale, shift] = ownFrame(inr, r, a);
        places[12 * r + 4 + a + 3 - dims] = scale;
        places[12 * r + 8 + a + 3 - dims] = shift;
      }
    }
    const list = (/** @type {Float32Array} */ numbers) => new Texture(gl).list(numbers);
    this.textures = {
      parameters: list(parameters),
      regions: list(places),
      groups: list(Float32Array.from(records.flat())),
      matrices: list(Float32Array.from(matrices)),
      axes: new Texture(gl),
      cells: new Texture(gl),
      pairs: new Texture(gl),
    };
    this.columns = signal.shape[dims - 1];
    this.plane = 0;
    this.block = 0;
  }

  /** @type {Evaluator["enter"]} */
  enter(inr, plane, block) {
    const { cells, pairs } = cellsOf(inr, plane.cells[0], plane.shares[0]);
    this.textures.cells.list(cells);
    this.textures.pairs.list(pairs);
    this.plane = plane.coords[0];
    this.block = block;
  }

  /** @type {Evaluator["draw"]} */
  draw(target, rows, columns, first, count) {
    this.textures.axes.list(listOf(columns, rows));
    this.program.draw(
      target,
      {
        ...this.textures,
        block: [this.block],
        line: [rows.size === 1 && columns.size > target.width ? target.width : 0],
        columns: [columns.size],
        stride: [this.columns],
        plane: this.plane,
      },
      [0, first, target.width, count],
    );
  }
}

/** @param {number} n */
function fours(n) {
  return Math.ceil(n / 4);
}

/**
 * The parameters of a group as the shader reads them: of each layer, for four columns at a time, their biases and then the
 * weights of row after row; complex ones with the imaginary parts after the real ones.
 * @param {import("./header.mjs").Group} group
 * @param {number} dims
 * @param {number} channels
 */
function packedGroup({ network, weights, biases }, dims, channels) {
  const layers = layersOf(network, dims, channels), blocks = fours(channels);
  if (network.name === "cosine") {
    const [[fanIn]] = layers, regions = biases[0].length / channels, each = (fanIn + 1) * blocks;
    const numbers = new Float32Array(regions * each * 4);
    for (let r = 0; r < regions; r++)
      for (let c = 0; c < channels; c++)
        for (let k = 0; k <= fanIn; k++)
          numbers[(r * each + k * blocks) * 4 + c] =
            k === 0 ? biases[0][r * channels + c] : weights[0][(r * fanIn + k - 1) * channels + c];
    return { numbers, each, shape: [0, 0, 0, blocks], widest: 1 };
  }
  // Of complex layers, the parts and the columns of one part.
  const parts = layers.map((_, l) => (network.name === "wire" && l > 0 ? 2 : 1));
  const outs = layers.map(([, fanOut], l) => fanOut / parts[l]);
  const sizes = layers.map(([fanIn], l) => fours(outs[l]) * parts[l] * (1 + 4 * fours(fanIn)));
  const each = sizes.reduce((sum, n) => sum + n, 0), regions = biases[0].length / layers[0][1];
  const numbers = new Float32Array(regions * each * 4);
  for (let r = 0; r < regions; r++) {
    let at = r * each;
    layers.forEach(([fanIn, fanOut], l) => {
      const column = parts[l] * (1 + 4 * fours(fanIn));
      for (let c = 0; c < fanOut; c++) {
        const part = Math.floor(c / outs[l]), own = c % outs[l];
        const to = (at + (own >> 2) * column + part) * 4 + (own & 3);
        numbers[to] = biases[l][r * fanOut + c];
        for (let k = 0; k < fanIn; k++)
          numbers[to + 4 * parts[l] * (1 + k)] = weights[l][(r * fanIn + k) * fanOut + c];
      }
      at += sizes[l];
    });
  }
  const width = fours(layers[0][1]);
  const widest = Math.max(fours(layers[0][0]), width);
  return { numbers, each, shape: [fours(layers[0][0]), width, network.layers, blocks], widest };
}

/**
 * Numbers of a network besides its layers: two of its own, omega_0 and omega_hidden.
 * @param {Network} network
 * @param {number} dims
 * @param {number[]} matrices of random features, which this adds to
 */
function numbersOf(network, dims, matrices) {
  const { name } = network;
  if (name === "relu") return [network.frequencies, dims * network.frequencies, 0, 0];
  if (name === "gauss") return [1 / (2 * network.sigma ** 2), 0, 0, 0];
  if (name === "cosine") return [network.frequencies, 0, 0, 0];
  if (name === "fourier") {
    const first = matrices.length / 4;
    for (let f = 0; f < network.features; f++) {
      const own = [0, 0, 0, 0];
      for (let a = 0; a < dims; a++)
        own[3 - dims + a] = Math.fround(Math.PI * network.sigma * standardNormal(network.seed, f * dims + a));
      matrices.push(...own);
    }
    return [first, network.features, 0, 0];
  }
  return [name === "wire" ? network.scale ** 2 : 0, 0, network.omega_0, network.omega_hidden];
}

/**
 * @param {number} seed
 * @param {number} i
 */
function standardNormal(seed, i) {
  /** @type {(n: number) => number} */
  const uniform = (n) => {
    let m = BigInt.asUintN(64, BigInt(seed) + BigInt(n + 1) * 0x9e3779b97f4a7c15n);
    m = BigInt.asUintN(64, (m ^ (m >> 30n)) * 0xbf58476d1ce4e5b9n);
    m = BigInt.asUintN(64, (m ^ (m >> 27n)) * 0x94d049bb133111ebn);
    return Number((m ^ (m >> 31n)) >> 11n);
  };
  return Math.sqrt(-2 * Math.log((uniform(2 * i) + 1) / 2 ** 53)) * Math.cos((2 * Math.PI * uniform(2 * i + 1)) / 2 ** 53);
}
