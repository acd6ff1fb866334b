// Cosines over boxes in a fragment shader, axis by axis: along columns they are summed once for each row of pixels and each
// frequency along rows, and what that gives is summed once for each pixel. Planes of volumes are summed before.
import { listOf } from "./axes.mjs";
import { MAIN, Program, Target, Texture } from "./gl.mjs";
import { sides } from "./numbers.mjs";
import { SINES, ownFrame } from "./own.mjs";

/**
 * @typedef {import("./header.mjs").Inr} Inr
 * @typedef {import("./axes.mjs").Axis} Axis
 * @typedef {import("./function.mjs").Evaluator} Evaluator
 * @typedef {{share: number, labels: Texture, coefficients: Texture}} Sheet what boxes at one plane hold, and how much it counts
 */

// Clenshaw, "A note on the summation of Chebyshev series", 1955: sums of c_k cos(k theta) without their cosines.
const COMMON = `${SINES}
uniform sampler2D axes, boxes;
uniform usampler2D labels;
uniform int columns, stride, leftmost;
int labelAt(int row, int column) { return int(texelFetch(labels, place(row * stride + column), 0).x); }
// First sample, number of frequencies, scale and shift to own coordinates of a region: along columns, and along rows.
vec4 boxAlong(int region, int axis) { return entry(boxes, 2 * region + axis); }
float doubled(float x, vec4 box) { return 2.0 * sineTurns(0.25 * (x * box.z + box.w) + 0.5); }
`;

const DOWN = `${COMMON}
uniform sampler2D coefficients;
uniform int height;
out vec4 partial;
${MAIN}
  int below = pixel.y / height;
  vec4 row = entry(axes, columns + pixel.y - below * height);
  partial = vec4(0);
  if (below == 1 && row.z == 0.0) return;
  int column = leftmost + pixel.x, region = labelAt(int(row.y) + below, column);
  vec4 box = boxAlong(region, 0), other = boxAlong(region, 1);
  if (column >= int(other.x + other.y)) return;
  float twice = doubled(row.x, box);
  vec4 last = vec4(0), sum = vec4(0);
  int at = int(box.x + box.y - 1.0) * stride + column;
  for (int k = int(box.y) - 1; k > 0; k--, at -= stride) {
    vec4 next = entry(coefficients, at) + twice * sum - last;
    last = sum;
    sum = next;
  }
  partial = entry(coefficients, at) + 0.5 * twice * sum - last;
}`;

/** @param {boolean} line whether there is one row alone, which needs no sums along columns */
function alongRows(line) {
  return `${COMMON}
uniform sampler2D before, partials;
uniform int height, width, sheet;
uniform float weight;
out vec4 values;
vec4 along(int below, int y, int region, float x) {
  vec4 box = boxAlong(region, 1);
  float twice = doubled(x, box);
  vec4 last = vec4(0), sum = vec4(0);
  ${line ? "int first = int(box.x);" : "ivec2 first = ivec2(int(box.x) - leftmost, y + below * height);"}
  for (int k = int(box.y) - 1; k > 0; k--) {
    vec4 next = ${line ? "entry(partials, first + k)" : "texelFetch(partials, ivec2(first.x + k, first.y), 0)"} + twice * sum - last;
    last = sum;
    sum = next;
  }
  return ${line ? "entry(partials, first)" : "texelFetch(partials, first, 0)"} + 0.5 * twice * sum - last;
}
// The two boxes beside a pixel, which are often one.
vec4 both(int below, int y, ivec2 regions, vec4 column) {
  if (regions.x == regions.y) return along(below, y, regions.x, column.x);
  return mix(along(below, y, regions.x, column.x), along(below, y, regions.y, column.x), column.z);
}
${MAIN}
  ${line ? "pixel = ivec2(min(pixel.y * width + pixel.x, columns - 1), 0);" : ""}
  vec4 column = entry(axes, pixel.x), row = entry(axes, columns + pixel.y);
  int i = int(row.y), j = int(column.y), next = column.z > 0.0 ? j + 1 : j;
  ivec2 here = ivec2(labelAt(i, j), labelAt(i, next));
  values = both(0, pixel.y, here, column);
  if (row.z > 0.0) {
    ivec2 below = ivec2(labelAt(i + 1, j), labelAt(i + 1, next));
    if (below != here) values = mix(values, both(1, pixel.y, below, column), row.z);
  }
  if (weight < 1.0) {
    values *= weight;
    if (sheet > 0) values += texelFetch(before, ivec2(gl_FragCoord.xy), 0);
  }
}`;
}

/** @implements {Evaluator} */
export class Cosines {
  /**
   * @param {import("./gl.mjs").GL} gl
   * @param {Inr} inr
   */
  constructor(gl, inr) {
    this.gl = gl;
    const { shape } = inr.signal;
    this.line = shape.length === 1;
    this.first = new Program(gl, DOWN);
    this.second = new Program(gl, alongRows(this.line));
    this.partials = new Target(gl);
    this.before = new Target(gl);
    this.axes = new Texture(gl);
    this.boxes = new Texture(gl);
    this.columns = shape[shape.length - 1];
    /** @type {Sheet[]} */
    this.sheets = [];
    this.inr = inr;
  }

  /** @type {Evaluator["enter"]} */
  enter(inr, { cells: [plane], shares: [share] }, block) {
    this.sheets.forEach(({ labels, coefficients }) => (labels.free(), coefficients.free()));
    const [, rows, columns] = sides(inr.signal.shape), size = rows * columns;
    const reach = reachOf(inr);
    const planes = share > 0 ? [[plane, 1 - share], [plane + 1, share]] : [[plane, 1]];
    this.sheets = planes.map(([p, weight]) => {
      const labels = new Texture(this.gl).list(Uint32Array.from(inr.labels.subarray(p * size, (p + 1) * size)));
      const coefficients = new Texture(this.gl).list(sheetOf(inr, p, plane + share, block, reach));
      return { share: weight, labels, coefficients };
    });
    const dims = inr.signal.shape.length, records = new Float32Array(8 * inr.regions);
    for (let r = 0; r < inr.regions; r++) {
      // A line is the only row.
      records[8 * r + 1] = 1;
      for (let a = Math.max(0, dims - 2); a < dims; a++) {
        const at = 8 * r + 4 * (a - dims + 2);
        records[at] = inr.boxes[2 * r * dims + a];
        records[at + 1] = reach[3 * r + a - dims + 3];
        records.set(ownFrame(inr, r, a), at + 2);
      }
    }
    this.boxes.list(records);
  }

  /** @type {Evaluator["draw"]} */
  draw(target, rows, columns, first, count) {
    this.axes.list(listOf(columns, rows));
    // All columns of all boxes that are seen.
    const left = columns.cells[0], right = Math.min(columns.cells[columns.size - 1] + 1, this.columns - 1);
    const [from, to] = this.line ? [0, 1] : this.reached(rows, left, right);
    if (!this.line) this.partials.resize(Math.max(to - from, this.partials.width), 2 * rows.size);
    this.sheets.forEach(({ share, labels, coefficients }, sheet) => {
      const common = {
        axes: this.axes,
        boxes: this.boxes,
        labels,
        columns: [columns.size],
        stride: [this.columns],
        leftmost: [from],
        height: [rows.size],
      };
      if (!this.line)
        for (const below of [0, rows.size])
          this.first.draw(this.partials, { ...common, coefficients }, [0, first + below, to - from, count]);
      if (sheet) this.copy(target, first, count);
      this.second.draw(
        target,
        {
          ...common,
          partials: this.line ? coefficients : this.partials,
          before: this.before,
          width: [target.width],
          sheet: [sheet],
          weight: share,
        },
        [0, first, target.width, count],
      );
    });
  }

  /**
   * Keep what the sheet before gave.
   * @param {Target} target
   * @param {number} first
   * @param {number} count
   */
  copy(target, first, count) {
    const { gl } = this;
    this.before.resize(target.width, target.height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, target.buffer);
    gl.bindTexture(gl.TEXTURE_2D, this.before.texture);
    gl.copyTexSubImage2D(gl.TEXTURE_2D, 0, 0, first, 0, first, target.width, count);
  }

  /**
   * The columns of all boxes that meet some rows and columns.
   * @param {Axis} rows
   * @param {number} left
   * @param {number} right
   */
  reached(rows, left, right) {
    const { labels, boxes, signal } = this.inr, dims = signal.shape.length;
    const size = labels.length / (dims > 2 ? signal.shape[0] : 1);
    let from = left, to = right + 1;
    for (let sheet = 0; sheet < labels.length; sheet += size)
      for (let i = rows.cells[0]; i <= Math.min(rows.cells[rows.size - 1] + 1, signal.shape[dims - 2] - 1); i++)
        for (const column of [left, right]) {
          const r = labels[sheet + i * this.columns + column];
          from = Math.min(from, boxes[(2 * r + 1) * dims - 1]);
          to = Math.max(to, boxes[(2 * r + 2) * dims - 1]);
        }
    return [from, to];
  }
}

/**
 * One more than the greatest frequency that is not 0 along three axes, of each box.
 * @param {Inr} inr
 */
function reachOf({ signal, labels, boxes, regions, coefficients }) {
  const { shape, channels } = signal, dims = shape.length, reach = new Uint16Array(3 * regions).fill(1);
  const [, rows, columns] = sides(shape);
  const numbers = /** @type {Float32Array} */ (coefficients);
  for (let i = 0; i < labels.length; i++) {
    let some = false;
    for (let c = 0; c < channels; c++) some ||= numbers[i * channels + c] !== 0;
    if (!some) continue;
    const r = labels[i], place = [Math.floor(i / (rows * columns)), Math.floor(i / columns) % rows, i % columns];
    for (let a = 0; a < dims; a++) {
      const b = a + 3 - dims, k = place[b] - boxes[2 * r * dims + a];
      if (k >= reach[3 * r + b]) reach[3 * r + b] = k + 1;
    }
  }
  return reach;
}

/**
 * Coefficients of four channels at a plane, summed along planes.
 * @param {Inr} inr
 * @param {number} plane whose boxes count
 * @param {number} position where, in planes
 * @param {number} block
 * @param {Uint16Array} reach
 */
function sheetOf({ signal, labels, boxes, coefficients }, plane, position, block, reach) {
  const { shape, channels } = signal, dims = shape.length;
  const [, rows, columns] = sides(shape), size = rows * columns;
  const found = new Float32Array(4 * size), first = 4 * block, count = Math.min(4, channels - first);
  const numbers = /** @type {Float32Array} */ (coefficients);
  for (let i = 0; i < size; i++) {
    const r = labels[plane * size + i], from = dims < 3 ? 0 : boxes[6 * r], side = dims < 3 ? 1 : boxes[6 * r + 3] - from;
    for (let k = 0; k < reach[3 * r]; k++) {
      const wave = k ? Math.cos((Math.PI * k * (position - from + 0.5)) / side) : 1;
      const at = ((from + k) * size + i) * channels + first;
      for (let c = 0; c < count; c++) found[4 * i + c] += wave * numbers[at + c];
    }
  }
  return found;
}
