// What lies between samples that are means of areas: the cubic spline with these means, of which pixels are means in turn
// (src/partinr/model/between/spline.py).
import { pixelsAlong } from "./axes.mjs";
import { MAIN, Program, Target, Texture } from "./gl.mjs";
import { clamp, sides } from "./numbers.mjs";

/**
 * @typedef {import("./header.mjs").Inr} Inr
 * @typedef {import("./axes.mjs").Axis} Axis
 * @typedef {import("./function.mjs").Evaluator} Evaluator
 */

// Samples on either side that a value depends on.
const AROUND = 18;
// Unser, Aldroubi, Eden, "B-spline signal processing: Part II", 1993, table I.
const POLES = [664 - Math.sqrt(438976), 664 + Math.sqrt(438976)].map((x, i) => Math.sqrt(x) + (i ? -1 : 1) * Math.sqrt(304) - 19);

const TAPS = `
uniform sampler2D taps, values;
uniform int across, each, count, left, skip;
out vec4 sum;
${MAIN}
`;
// Weighted sums along columns, of all columns that are needed; then along rows.
const ALONG_SPLINE_COLUMNS = `${TAPS}
  int at = each * (pixel.y - skip), from = int(entry(taps, at).x) * across + left + pixel.x;
  for (int k = 0; k < count; k++, from += across) sum += entry(taps, at + 1 + k / 4)[k & 3] * entry(values, from);
}`;
/** @param {boolean} line */
function alongSplineRows(line) {
  return `${TAPS}
  ${line ? "int i = pixel.y * across + pixel.x;" : "int i = pixel.x - skip;"}
  int at = each * i, from = int(entry(taps, at).x) - left;
  for (int k = 0; k < count; k++) sum += entry(taps, at + 1 + k / 4)[k & 3] * ${line ? "entry(values, from + k)" : "texelFetch(values, ivec2(from + k, pixel.y), 0)"};
}`;
}

/**
 * @typedef {[number, number, number, number]} Part x, y, width and height of a target's pixels
 *
 * @typedef {object} Grid coefficients of the spline
 * @property {Texture} coefficients row after row
 * @property {number} across how many in a row
 * @property {number} fine how many a sample is long
 * @property {number[]} starts row and column of the first one
 */

/** @implements {Evaluator} */
export class Spline {
  /**
   * @param {import("./gl.mjs").GL} gl
   * @param {Inr} inr
   * @param {Evaluator | null} networks what gives values at the samples, where the file's reader did not
   */
  constructor(gl, inr, networks) {
    this.gl = gl;
    this.networks = networks;
    const [, rows, columns] = sides(inr.signal.shape);
    this.rows = rows;
    this.columns = columns;
    this.line = inr.signal.shape.length === 1;
    this.first = new Program(gl, ALONG_SPLINE_COLUMNS);
    this.second = new Program(gl, alongSplineRows(this.line));
    /** @type {Grid} */
    this.grid = { coefficients: new Texture(gl), across: columns + 2 * AROUND, fine: 1, starts: [-AROUND, -AROUND] };
    this.partials = new Target(gl);
    this.taps = [new Texture(gl), new Texture(gl)];
    /** @type {Float32Array} values at the samples, four channels, where details are asked for */
    this.own = new Float32Array(0);
  }

  /** @type {Evaluator["enter"]} */
  enter(inr, plane, block) {
    const { rows, columns, line } = this, size = rows * columns, { samples } = inr, { channels } = inr.signal;
    /** @type {Float32Array} */
    let own = new Float32Array(4 * size);
    if (samples)
      for (let i = 0, from = (plane.cells[0] + Math.round(plane.shares[0])) * size * channels + 4 * block; i < size; i++, from += channels)
        for (let c = 0; c < 4 && 4 * block + c < channels; c++) own[4 * i + c] = samples[from + c];
    else if (this.networks) {
      const width = Math.min(columns, 2048), target = new Target(this.gl).resize(line ? width : columns, line ? Math.ceil(columns / width) : rows);
      this.networks.enter(inr, plane, block);
      const lattice = [rows, columns].map((n) => pixelsAlong(n, n, 0, n, inr.blend));
      this.networks.draw(target, lattice[0], lattice[1], 0, target.height);
      own = target.read(0, 0, target.width, target.height);
      target.free();
    }
    if (inr.details) this.own = own;
    const { across } = this.grid, long = rows + 2 * AROUND;
    own = toSpline(extended(own, rows, columns, 4, -AROUND, across), rows, across, 4);
    this.grid.coefficients.list(line ? own : toSpline(extended(own, 1, rows, 4 * across, -AROUND, long), 1, long, 4 * across));
  }

  /**
   * Values at samples, of which some may lie beyond the signal's ends: (size, size, 4).
   * @param {number[]} starts row and column of the first one
   * @param {number} size
   */
  window(starts, size) {
    const { own, rows, columns } = this;
    return extended(extended(own, 1, rows, 4 * columns, starts[0], size), size, columns, 4, starts[1], size);
  }

  /** @type {Evaluator["draw"]} */
  draw(target, rows, columns, first, count) {
    this.lay(target, this.grid, rows, columns, [0, first, target.width, count]);
  }

  /**
   * Means over the pixels of a part of a target.
   * @param {Target} target
   * @param {Grid} grid
   * @param {Axis} rows of all of the target
   * @param {Axis} columns
   * @param {Part} part
   */
  lay(target, { coefficients, across, fine, starts }, rows, columns, part) {
    const [down, along] = this.taps, { line, partials } = this, [x, y, width, height] = part;
    const b = tapsOf(columns, x, line ? columns.size : width, fine, starts[1]), left = line ? 0 : b.numbers[0];
    along.list(b.numbers);
    if (!line) {
      const a = tapsOf(rows, y, height, fine, starts[0]), needed = b.numbers[4 * b.each * (width - 1)] + b.count - left;
      down.list(a.numbers);
      partials.resize(Math.max(needed, partials.width), rows.size);
      this.first.draw(partials, { taps: down, values: coefficients, across: [across], each: [a.each], count: [a.count], left: [left], skip: [y] }, [0, y, needed, height]);
    }
    this.second.draw(target, { taps: along, values: line ? coefficients : partials, across: [target.width], each: [b.each], count: [b.count], left: [left], skip: [x] }, part);
  }
}

/**
 * Values from one sample on along an axis; beyond its ends they go on as if they were turned around the last one.
 * @param {Float32Array} values (before, n, after)
 * @param {number} before
 * @param {number} n samples
 * @param {number} after
 * @param {number} first
 * @param {number} count
 * @returns {Float32Array} (before, count, after)
 */
function extended(values, before, n, after, first, count) {
  const found = new Float32Array(before * count * after), low = Math.max(first, 0), high = Math.min(first + count, n);
  /** @type {(at: number, i: number) => number} */
  const sample = (at, i) => {
    const near = clamp(i, 0, n - 1), value = values[at + near * after];
    return i === near || n === 1 ? value : 2 * value - sample(at, 2 * near - i);
  };
  for (let outer = 0; outer < before; outer++) {
    const from = outer * n * after, to = (outer * count - first) * after;
    found.set(values.subarray(from + low * after, from + high * after), to + low * after);
    for (let i = first; i < first + count; i++)
      if (i < low || i >= high) for (let inner = 0; inner < after; inner++) found[to + i * after + inner] = sample(from + inner, i);
  }
  return found;
}

/**
 * Put coefficients of the spline in the place of values along an axis.
 * @param {Float32Array} values (before, n, after)
 * @param {number} before
 * @param {number} n samples, of which those near the ends are only there for the others
 * @param {number} after
 */
export function toSpline(values, before, n, after) {
  const own = new Float64Array(n), gain = POLES.reduce((gain, z) => gain * (1 - z) * (1 - 1 / z), 1);
  for (let outer = 0; outer < before; outer++)
    for (let inner = 0; inner < after; inner++) {
      const at = outer * n * after + inner;
      for (let i = 0; i < n; i++) own[i] = gain * values[at + i * after];
      for (const z of POLES) {
        own[0] /= 1 - z;
        for (let i = 1; i < n; i++) own[i] += z * own[i - 1];
        own[n - 1] *= z / (z - 1);
        for (let i = n - 2; i >= 0; i--) own[i] = z * (own[i + 1] - own[i]);
      }
      for (let i = 0; i < n; i++) values[at + i * after] = own[i];
    }
  return values;
}

/**
 * Of the cubic B-spline, from minus infinity.
 * @param {number} x
 * @returns {number}
 */
function integral(x) {
  if (x > 0) return 1 - integral(-x);
  return x > -1 ? 0.5 + x * (2 / 3 - x * x * (1 / 3 + x / 8)) : Math.max(0, x + 2) ** 4 / 24;
}

/**
 * Weights of coefficients for the means over some pixels: the first coefficient, and in fours the weights of it and those
 * after it.
 * @param {Axis} axis
 * @param {number} low the first pixel
 * @param {number} size how many
 * @param {number} fine coefficients a sample
 * @param {number} origin the first one that there is
 */
function tapsOf(axis, low, size, fine, origin) {
  const step = axis.step * fine, count = 5 + Math.ceil(step), each = 1 + Math.ceil(count / 4), numbers = new Float32Array(4 * each * size);
  for (let k = 0; k < size; k++) {
    const from = axis.start * fine - 0.5 + (low + k) * step, first = Math.floor(from) - 1, at = 4 * each * k;
    numbers[at] = first - origin;
    for (let t = 0; t < count; t++) {
      const place = first + t;
      numbers[at + 4 + t] = (integral(from + step - place) - integral(from - place)) / step;
    }
  }
  return { count, each, numbers };
}
