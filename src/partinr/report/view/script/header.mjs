// What files of all kinds have in common: their fields, and where their regions are.
import { broken } from "./bytes.mjs";
import { sides } from "./numbers.mjs";

/**
 * @typedef {{name: string, hidden: number, layers: number, omega_0: number, omega_hidden: number, scale: number,
 *   sigma: number, frequencies: number, features: number, seed: number}} Network those fields that its name has
 * @typedef {{kind: string, shape: number[], channels: number, dtype: string, value_range: [number, number],
 *   channel_axis: boolean, axes?: {spacing?: number, origin?: number, unit?: string}[], between?: string}} Signal
 * @typedef {{network: Network, weights: Float32Array[], biases: Float32Array[]}} Group
 *   of each layer weights (regions, fan in, fan out) and biases (regions, fan out)
 *
 * @typedef {object} Inr
 * @property {Signal} signal
 * @property {"global" | "local" | "area"} frame
 * @property {boolean} blend
 * @property {number} overlap
 * @property {number} regions
 * @property {{[name: string]: any}} summary
 * @property {Int32Array} labels region of each sample
 * @property {Uint32Array} boxes first sample of each region's bounding box, one past its last: (regions, 2, dims)
 * @property {Int32Array} groupOf group of each region
 * @property {Group[]} groups
 * @property {Float32Array | null} coefficients of cosines over boxes, (samples, channels): those of a box stand where its
 *   samples are, its first frequency at its first sample; the groups are empty then
 * @property {Float32Array | null} samples values at these of such a function that is something else between them,
 *   (samples, channels)
 * @property {Uint8Array | null} [details] networks that say what lies between samples
 */

export const MOST_HEADER = 4194304;

/** @param {number[]} numbers */
export function product(numbers) {
  return numbers.reduce((product, n) => product * n, 1);
}

/** @param {any} header */
export function told(header) {
  const { signal, frame, blend, overlap, summary } = header;
  return { signal, frame, blend, overlap, summary };
}

/**
 * @param {number[]} shape
 * @param {Uint32Array} boxes
 */
export function ofBoxes(shape, boxes) {
  const dims = shape.length, labels = new Int32Array(product(shape)).fill(-1);
  const [, rows, columns] = sides(shape);
  for (let r = 0; r < boxes.length / (2 * dims); r++) {
    const first = [0, 0, ...boxes.subarray(2 * r * dims, (2 * r + 1) * dims)].slice(-3);
    const last = [1, 1, ...boxes.subarray((2 * r + 1) * dims, (2 * r + 2) * dims)].slice(-3);
    for (let i = first[0]; i < last[0]; i++)
      for (let j = first[1]; j < last[1]; j++) {
        const row = (i * rows + j) * columns;
        labels.fill(r, row + first[2], row + last[2]);
      }
  }
  if (labels.includes(-1)) broken("the regions do not cover the signal");
  return { labels, boxes };
}

/**
 * Whether the channels are colours, and the last of two or four opacity.
 * @param {Signal} signal
 */
export function isColoured({ kind }) {
  return kind === "image" || kind === "video";
}
