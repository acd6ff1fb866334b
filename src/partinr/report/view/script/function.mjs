// A function of a file on a graphics card: its values at the pixels of any lattice.
import { pixelsAlong } from "./axes.mjs";
import { Cosines } from "./cosines.mjs";
import { Details } from "./details.mjs";
import { Target } from "./gl.mjs";
import { Networks } from "./networks.mjs";
import { Spline } from "./spline.mjs";
import { sides } from "./numbers.mjs";

/**
 * @typedef {import("./axes.mjs").Axis} Axis
 * @typedef {{start: number, stop: number, size: number}} Span pixels over a part of an axis, in samples
 *
 * @typedef {object} Evaluator what computes a function's values
 * @property {(inr: import("./header.mjs").Inr, plane: Axis, block: number) => void} enter choose a plane of a volume, as an
 *   axis of one pixel, and four channels: number 4 block and those after it
 * @property {(target: Target, rows: Axis, columns: Axis, first: number, count: number) => void} draw normalised values at
 *   the pixels of some rows; if there is one row, its pixels may go on in those after it. The first rows come first
 * @property {any[]} [waiting] what was left out of that, for the time being
 * @property {(target: Target) => void} [refine] draw some of it
 */

export class ShownFunction {
  /**
   * @param {import("./gl.mjs").GL} gl
   * @param {import("./header.mjs").Inr} inr
   */
  constructor(gl, inr) {
    this.gl = gl;
    this.inr = inr;
    // A picture is the only plane of a volume, a line the only row of a picture.
    const [planes, rows, columns] = sides(inr.signal.shape);
    this.planes = planes;
    this.rows = rows;
    this.columns = columns;
    /** Whether pixels are means of the function, however large. */
    this.smooth = (inr.signal.between ?? "none") !== "none";
    const networks = inr.coefficients ? null : new Networks(gl, inr);
    const spline = this.smooth && new Spline(gl, inr, networks);
    /** @type {Evaluator} */
    this.evaluator = spline ? (inr.details ? new Details(gl, inr.details, spline) : spline) : (networks ?? new Cosines(gl, inr));
    this.plane = NaN;
    this.block = NaN;
  }

  /**
   * Choose a plane of a volume and four channels.
   * @param {number} plane in planes, from 0; may lie between two
   * @param {number} block
   */
  enter(plane, block) {
    if (plane === this.plane && block === this.block) return;
    this.plane = plane;
    this.block = block;
    this.evaluator.enter(this.inr, pixelsAlong(this.planes, 1, plane, plane + 1, this.inr.blend), block);
  }

  /**
   * @param {Span} rows
   * @param {Span} columns
   * @param {boolean} [blend] whether values blend between samples
   * @returns {[Axis, Axis]}
   */
  lattice(rows, columns, blend = this.inr.blend) {
    return [
      pixelsAlong(this.rows, rows.size, rows.start, rows.stop, blend),
      pixelsAlong(this.columns, columns.size, columns.start, columns.stop, blend),
    ];
  }

  /**
   * Normalised values at all pixels, channel by channel of the block: (rows, columns, 4).
   * @param {Span} rows
   * @param {Span} columns
   */
  values(rows, columns) {
    const target = new Target(this.gl), width = Math.min(columns.size, 2048);
    const height = rows.size > 1 ? rows.size : Math.ceil(columns.size / width);
    target.resize(rows.size > 1 ? columns.size : width, height);
    this.evaluator.draw(target, ...this.lattice(rows, columns), 0, height);
    while (this.evaluator.waiting?.length) this.evaluator.refine?.(target);
    const numbers = target.read(0, 0, target.width, height);
    target.free();
    return numbers.subarray(0, 4 * rows.size * columns.size);
  }
}
