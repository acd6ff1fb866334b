// Details that photographs have between their samples, predicted from the samples around: samples are halved before the
// spline is laid through them (src/partinr/model/between/details.py), in tiles that are made one by one and kept.
import { MAIN, Program, Target, Texture } from "./gl.mjs";
import { clamp } from "./numbers.mjs";
import { toSpline } from "./spline.mjs";

/**
 * @typedef {import("./axes.mjs").Axis} Axis
 * @typedef {import("./function.mjs").Evaluator} Evaluator
 * @typedef {import("./spline.mjs").Grid} Grid
 * @typedef {{side: number, weights: number[][]}} Layer weights are (side, side, fan in, 4), of four planes that come out each
 * @typedef {{near?: Layer, layer?: Layer}} Pass sums of samples, of the planes of the pass before, or of both
 * @typedef {{halvings: number, place: number[], rows: Axis, columns: Axis, part: import("./spline.mjs").Part}} Wanted
 *   a tile, and where it is seen
 */

// Side, fan in and fan out of the filter from samples to details, and of the layers.
const SHAPES = [[7, 1, 3], [5, 1, 16], [3, 16, 16], [3, 16, 16], [3, 16, 3]];
// Halved samples along a tile, those around it that its spline is computed with, and samples that details depend on.
const TILE = 128, MARGIN = 14, SEEN = 5;
const FINE = TILE + 2 * MARGIN, WIDE = FINE / 2 + 2 * SEEN;
const MOST_TILES = 512;

/**
 * Targets of each channel, planes beside one another, four in each square; the first is drawn into with all others.
 * @param {import("./gl.mjs").GL} gl
 * @param {number} channels
 */
function planesOf(gl, channels) {
  const planes = Array.from({ length: channels }, () => new Target(gl).resize(4 * WIDE, WIDE)), all = planes.map((_, c) => gl.COLOR_ATTACHMENT0 + c);
  gl.bindFramebuffer(gl.FRAMEBUFFER, planes[0].buffer);
  planes.forEach(({ texture }, c) => gl.framebufferTexture2D(gl.FRAMEBUFFER, all[c], gl.TEXTURE_2D, texture, 0));
  gl.drawBuffers(all);
  return planes;
}

/**
 * A text for each channel, with its number for #.
 * @param {number} channels
 * @param {string} text
 */
function ofEach(channels, text) {
  let all = "";
  for (let c = 0; c < channels; c++) all += text.replaceAll("#", `${c}`);
  return all;
}

/**
 * Four planes of a pass, of all channels at once, so that a weight is read once.
 * @param {Pass} pass
 * @param {number} channels
 */
function passShader({ near, layer }, channels) {
  const one = near?.side ?? 0, other = layer?.side ?? 0;
  let sums = "";
  for (let i = 0; i < one * one; i++)
    sums += `v = texelFetch(samples, at + aside + ivec2(${i % one}, ${Math.floor(i / one)}), 0);${ofEach(channels, `sum# += near[${i}] * v[#];`)}`;
  for (let i = 0; i < 4 * other * other; i++) {
    const place = `ivec2(${((i >> 2) % other) + (i & 3) * WIDE}, ${Math.floor(i / 4 / other)})`;
    sums += `m = mat4(layer[${4 * i}], layer[${4 * i + 1}], layer[${4 * i + 2}], layer[${4 * i + 3}]);${ofEach(channels, `sum# += m * texelFetch(planes#, at + ${place}, 0);`)}`;
  }
  return `
uniform sampler2D samples;
uniform vec4 near[49], layer[144];
uniform float slope;
uniform int left, aside;
${ofEach(channels, "uniform sampler2D planes#; layout(location = #) out vec4 sum#;")}
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy) - ivec2(left, 0);
  vec4 v;
  mat4 m;
  ${ofEach(channels, "sum# = vec4(0);")}
  ${sums}
  ${ofEach(channels, "sum# = max(sum#, sum# * slope);")}
}`;
}

/**
 * Where there are four samples for one.
 * @param {number} channels
 */
function halvedShader(channels) {
  return `
uniform sampler2D samples;
${ofEach(channels, "uniform sampler2D planes#;")}
out vec4 values;
${MAIN}
  ivec2 at = pixel >> 1;
  vec2 way = vec2(1 - 2 * (pixel & 1));
  values = texelFetch(samples, at + ${SEEN}, 0);
  ${ofEach(channels, "values[#] += dot(vec3(way, way.x * way.y), texelFetch(planes#, at, 0).xyz);")}
}`;
}

/** @implements {Evaluator} */
export class Details {
  /**
   * @param {import("./gl.mjs").GL} gl
   * @param {Uint8Array} bytes of the networks
   * @param {import("./spline.mjs").Spline} spline
   */
  constructor(gl, bytes, spline) {
    this.gl = gl;
    this.spline = spline;
    this.nets = netsOf(bytes);
    /** @type {Program[]} made when the first tile is */
    this.programs = [];
    /** @type {Target[][]} */
    this.planes = [];
    this.channels = 0;
    /** @type {Map<string, Grid>} */
    this.tiles = new Map();
    /** @type {Wanted[]} tiles that are seen and not yet made */
    this.waiting = [];
  }

  /** @type {Evaluator["enter"]} */
  enter(inr, plane, block) {
    const channels = Math.min(4, inr.signal.channels - 4 * block);
    if (channels !== this.channels) this.programs = [];
    this.channels = channels;
    this.keep(0);
    this.spline.enter(inr, plane, block);
  }

  /**
   * Forget the tiles that were not seen for longest.
   * @param {number} most that are kept
   */
  keep(most) {
    for (const [key, { coefficients }] of this.tiles) {
      if (this.tiles.size <= most) break;
      coefficients.free();
      this.tiles.delete(key);
    }
  }

  /** @type {Evaluator["draw"]} */
  draw(target, rows, columns, first, count) {
    const halvings = clamp(Math.ceil(-Math.log2(Math.min(rows.step, columns.step)) - 1e-9), 0, this.nets.length), long = TILE / 2 ** halvings;
    /** @type {(axis: Axis, i: number) => number} the first pixel whose middle is in a tile */
    const edge = ({ start, step, size }, i) => clamp(Math.ceil((i * long - start) / step - 0.5), 0, size);
    /** @type {Wanted[]} */
    const all = [];
    for (let i = Math.floor(rows.start / long); halvings && edge(rows, i) < rows.size; i++)
      for (let j = Math.floor(columns.start / long); edge(columns, j) < columns.size; j++) {
        const x = edge(columns, j), y = Math.max(first, edge(rows, i));
        const width = edge(columns, j + 1) - x, height = Math.min(first + count, edge(rows, i + 1)) - y;
        if (width > 0 && height > 0) all.push({ halvings, place: [i, j], rows, columns, part: [x, y, width, height] });
      }
    const missing = all.filter((one) => !this.tiles.has(keyOf(one)));
    this.waiting = first ? [...this.waiting, ...missing] : missing;
    if (!halvings || missing.length) this.spline.draw(target, rows, columns, first, count);
    for (const one of all) if (!missing.includes(one)) this.lay(target, one);
  }

  /**
   * Make the next tile that is seen, where the spline of the samples is until then.
   * @param {Target} target
   */
  refine(target) {
    const next = this.waiting.shift();
    if (next) this.lay(target, next);
  }

  /**
   * @param {Target} target
   * @param {Wanted} wanted
   */
  lay(target, wanted) {
    const key = keyOf(wanted), tile = this.tiles.get(key) ?? this.made(wanted);
    this.tiles.delete(key);
    this.tiles.set(key, tile);
    this.keep(MOST_TILES);
    this.spline.lay(target, tile, wanted.rows, wanted.columns, wanted.part);
  }

  /**
   * @param {Wanted} wanted
   * @returns {Grid}
   */
  made({ halvings, place }) {
    const { gl } = this, first = place.map((i) => i * TILE - MARGIN);
    let starts = first, size = FINE;
    for (let k = 0; k < halvings; k++) (starts = starts.map((n) => n / 2 - SEEN)), (size = size / 2 + 2 * SEEN);
    /** @type {(Texture | Target)[]} */
    const values = [new Texture(gl).fill(size, size, this.spline.window(starts, size))];
    for (let k = 0; k < halvings; k++) values.push(this.halved(this.nets[k], values[k]));
    const numbers = /** @type {Target} */ (values[halvings]).read(0, 0, FINE, FINE);
    for (const one of values) one.free();
    toSpline(toSpline(numbers, 1, FINE, 4 * FINE), FINE, FINE, 4);
    return { coefficients: new Texture(gl).list(numbers), across: FINE, fine: 2 ** halvings, starts: first };
  }

  /**
   * Means over the quarters of each sample's area, but of those near the edges.
   * @param {Pass[]} passes
   * @param {Texture} samples
   */
  halved(passes, samples) {
    const { gl, channels } = this, side = 2 * (samples.width - 2 * SEEN), last = passes.length - 1;
    if (!this.programs.length) {
      this.programs = [...passes.map((pass) => new Program(gl, passShader(pass, channels))), new Program(gl, halvedShader(channels))];
      this.planes = [planesOf(gl, channels), planesOf(gl, channels)];
    }
    /** @type {(p: number) => {[name: string]: Texture}} what a pass reads */
    const before = (p) => ({ samples, ...Object.fromEntries(this.planes[(p + 1) % 2].map((one, c) => [`planes${c}`, one])) });
    let size = samples.width;
    passes.forEach(({ near, layer }, p) => {
      const { side, weights } = /** @type {Layer} */ (layer ?? near), aside = near && layer ? SEEN - (near.side >> 1) : 0;
      size -= side - 1;
      weights.forEach((_, o) => {
        const left = o * WIDE, values = { near: near?.weights[o] ?? [], layer: layer?.weights[o] ?? [] };
        const others = { slope: p === last ? 1 : 0.1, left: [left], aside: [aside] };
        this.programs[p].draw(this.planes[p % 2][0], { ...before(p), ...values, ...others }, [left, 0, size, size]);
      });
    });
    const fine = new Target(gl).resize(side, side);
    this.programs[last + 1].draw(fine, before(last + 1));
    return fine;
  }
}

/** @param {Wanted} wanted */
function keyOf({ halvings, place }) {
  return `${halvings} ${place}`;
}

/**
 * Networks of integers and what those of each plane that comes out are multiplied by, which stand before them.
 * @param {Uint8Array} bytes
 * @returns {Pass[][]} of each halving
 */
function netsOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset), nets = [];
  for (let at = 0; at < bytes.length; ) {
    const [direct, near, ...layers] = SHAPES.map(([side, fanIn, fanOut]) => {
      const scales = at, whole = at + 4 * fanOut, count = side * side * fanIn;
      at = whole + count * fanOut;
      /** @type {(i: number, o: number) => number} */
      const weight = (i, o) => (o < fanOut ? view.getInt8(whole + i * fanOut + o) * view.getFloat32(scales + 4 * o, true) : 0);
      const weights = [];
      for (let o = 0; o < fanOut; o += 4) weights.push(Array.from({ length: 4 * count }, (_, i) => weight(i >> 2, o + (i & 3))));
      return { side, weights };
    });
    nets.push([{ near }, { layer: layers[0] }, { layer: layers[1] }, { near: direct, layer: layers[2] }]);
  }
  return nets;
}
