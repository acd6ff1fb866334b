// What lies between samples that are means of areas: the cubic spline with these means, of which pixels are means in turn
// (src/partinr/model/between/spline.py).
import { pixelsAlong } from "./axes.mjs";
import { Program, Target, Texture } from "./gl.mjs";
import { sides } from "./numbers.mjs";

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
uniform int across, each, count, left;
out vec4 sum;
void main() {
  ivec2 pixel = ivec2(gl_FragCoord.xy);
`;
// Weighted sums along columns, of all columns that are needed; then along rows.
const ALONG_SPLINE_COLUMNS = `${TAPS}
  int at = each * pixel.y, from = int(entry(taps, at).x) * across + left + pixel.x;
  for (int k = 0; k < count; k++, from += across) sum += entry(taps, at + 1 + k / 4)[k & 3] * entry(values, from);
}`;
/** @param {boolean} line */
function alongSplineRows(line) {
  return `${TAPS}
  ${line ? "int i = pixel.y * across + pixel.x;" : "int i = pixel.x;"}
  int at = each * i, from = int(entry(taps, at).x) - left;
  for (int k = 0; k < count; k++) sum += entry(taps, at + 1 + k / 4)[k & 3] * ${line ? "entry(values, from + k)" : "texelFetch(values, ivec2(from + k, pixel.y), 0)"};
}`;
}

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
    this.coefficients = new Texture(gl);
    this.partials = new Target(gl);
    this.taps = [new Texture(gl), new Texture(gl)];
  }

  /** @type {Evaluator["enter"]} */
  enter(inr, plane, block) {
    const { rows, columns } = this, size = rows * columns, { samples } = inr, { channels } = inr.signal;
    let own = new Float32Array(4 * size);
    if (samples)
      for (let i = 0, from = (plane.cells[0] + Math.round(plane.shares[0])) * size * channels + 4 * block; i < size; i++, from += channels)
        for (let c = 0; c < 4 && 4 * block + c < channels; c++) own[4 * i + c] = samples[from + c];
    else if (this.networks) {
      const width = Math.min(columns, 2048), target = new Target(this.gl).resize(this.line ? width : columns, this.line ? Math.ceil(columns / width) : rows);
      this.networks.enter(inr, plane, block);
      const lattice = [rows, columns].map((n) => pixelsAlong(n, n, 0, n, inr.blend));
      this.networks.draw(target, lattice[0], lattice[1], 0, target.height);
      own = target.read(0, 0, target.width, target.height);
      target.free();
    }
    own = filtered(own, rows, columns, 4);
    this.coefficients.list(this.line ? own : filtered(own, 1, rows, 4 * (columns + 2 * AROUND)));
  }

  /** @type {Evaluator["draw"]} */
  draw(target, rows, columns, first, count) {
    const [down, across] = this.taps, { line, partials } = this;
    const [along, below] = [tapsOf(columns), line ? null : tapsOf(rows)];
    across.list(along.numbers);
    const left = line ? 0 : along.numbers[0], width = along.numbers[4 * along.each * (columns.size - 1)] + along.count - left;
    if (below) {
      down.list(below.numbers);
      partials.resize(Math.max(width, partials.width), rows.size);
      const values = { values: this.coefficients, across: [this.columns + 2 * AROUND], left: [left] };
      this.first.draw(partials, { taps: down, each: [below.each], count: [below.count], ...values }, [0, first, width, count]);
    }
    const values = { values: line ? this.coefficients : partials, across: [target.width], left: [left] };
    this.second.draw(target, { taps: across, each: [along.each], count: [along.count], ...values }, [0, first, target.width, count]);
  }
}

/**
 * Coefficients of the spline along an axis, with those beyond its ends: samples go on as if they were turned around the
 * last one.
 * @param {Float32Array} values (before, n, after)
 * @param {number} before
 * @param {number} n samples
 * @param {number} after
 */
function filtered(values, before, n, after) {
  const long = n + 2 * AROUND, found = new Float32Array(before * long * after), own = new Float64Array(long);
  const gain = POLES.reduce((gain, z) => gain * (1 - z) * (1 - 1 / z), 1);
  for (let outer = 0; outer < before; outer++)
    for (let inner = 0; inner < after; inner++) {
      const at = outer * n * after + inner;
      /** @type {(i: number) => number} */
      const sample = (i) => {
        if (i < 0) return n === 1 ? values[at] : 2 * values[at] - sample(-i);
        return i < n ? values[at + i * after] : n === 1 ? values[at] : 2 * values[at + (n - 1) * after] - sample(2 * (n - 1) - i);
      };
      for (let i = 0; i < long; i++) own[i] = gain * sample(i - AROUND);
      for (const z of POLES) {
        own[0] /= 1 - z;
        for (let i = 1; i < long; i++) own[i] += z * own[i - 1];
        own[long - 1] *= z / (z - 1);
        for (let i = long - 2; i >= 0; i--) own[i] = z * (own[i + 1] - own[i]);
      }
      for (let i = 0; i < long; i++) found[(outer * long + i) * after + inner] = own[i];
    }
  return found;
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
 * Weights of coefficients for the means over pixels: the first coefficient, and in fours the weights of it and those after
 * it.
 * @param {Axis} axis
 */
function tapsOf({ size, start, step }) {
  const count = 5 + Math.ceil(step), each = 1 + Math.ceil(count / 4), numbers = new Float32Array(4 * each * size);
  for (let k = 0; k < size; k++) {
    const from = start - 0.5 + k * step, first = Math.floor(from) - 1, at = 4 * each * k;
    numbers[at] = first + AROUND;
    for (let t = 0; t < count; t++) {
      const place = first + t;
      numbers[at + 4 + t] = (integral(from + step - place) - integral(from - place)) / step;
    }
  }
  return { count, each, numbers };
}
