// What the boxes that are known lead to expect at the border of the next one (docs/format.md, "Borders"). Whole numbers,
// held in doubles, which are exact for all that a writer leaves.
import { broken } from "./bytes.mjs";
import { clamp } from "./numbers.mjs";

const MOST_FACE = 2 ** 36, MOST_EDGE = 2 ** 30, MOST_GUESS = 2 ** 26 - 1;

/** The other two axes of each of three, the last fastest. */
export const ACROSS = [1, 0, 0], ALONG = [2, 2, 1];

/** @typedef {{first: Int32Array, beyond: Int32Array, at: Float64Array, turned: Float64Array}} Cosines
 *   at the first sample, beyond the last, and all of them by (frequency, sample) and by (sample, frequency) */

/** @type {Map<number, Cosines>} */
const cosinesOf = new Map();

/**
 * Cosines of an axis of n samples, in 2^-14.
 * @param {number} n
 * @param {boolean} all whether those at all samples are asked for
 * @returns {Cosines}
 */
function cosines(n, all) {
  const known = cosinesOf.get(n);
  if (known && (known.at.length || !all)) return known;
  /** @type {(k: number, x: number) => number} */
  const of = (k, x) => {
    const m = (k * (2 * x + 1)) % (4 * n), sign = m > n && m < 3 * n ? -1 : 1;
    const folded = m > 2 * n ? 4 * n - m : m;
    if (folded === n) return 0;
    const angle = (Math.PI * (folded > n ? 2 * n - folded : folded)) / (2 * n);
    return sign * Math.round(16384 * Math.sqrt((k ? 2 : 1) / n) * Math.cos(angle));
  };
  const made = { first: new Int32Array(n), beyond: new Int32Array(n), at: new Float64Array(all ? n * n : 0), turned: new Float64Array(all ? n * n : 0) };
  for (let k = 0; k < n; k++) {
    const last = of(k, n - 1);
    made.first[k] = of(k, 0);
    made.beyond[k] = last + ((last - of(k, Math.max(n - 2, 0))) >> 1);
    if (all) for (let x = 0; x < n; x++) made.at[k * n + x] = made.turned[x * n + k] = of(k, x);
  }
  cosinesOf.set(n, made);
  return made;
}

/**
 * Turn one axis of a face (rows, n, inner) into its spectrum, or back.
 * @param {Float64Array} face
 * @param {number} n
 * @param {number} inner
 * @param {boolean} back
 */
function turn(face, n, inner, back) {
  if (n === 1) return;
  const known = cosines(n, true), at = back ? known.at : known.turned;
  let most = 0;
  for (let i = 0; i < face.length; i++) most = Math.max(most, Math.abs(face[i]));
  if (most === 0) return;
  if (most * 16384 * Math.sqrt(2 * n) > 2 ** 52) broken("numbers are larger than any coded");
  const line = new Float64Array(n);
  for (let row = 0; row < face.length; row += n * inner)
    for (let i = row; i < row + inner; i++) {
      line.fill(8192);
      for (let x = 0; x < n; x++) {
        const value = face[i + x * inner];
        if (value !== 0) for (let y = 0, from = x * n; y < n; y++) line[y] += value * at[from + y];
      }
      for (let y = 0; y < n; y++) face[i + y * inner] = clamp(Math.floor(line[y] / 16384), -MOST_FACE, MOST_FACE);
    }
}

/** @typedef {{start: number[], size: number[], depth: number}} Box along three axes, the first of one sample where there are fewer */

export class Borders {
  /** @type {Box} */ box;
  /** @type {number[]} */ rows;
  /**
   * @param {Box} slice
   * @param {number} first axes before it have one sample
   * @param {number} channels
   */
  constructor(slice, first, channels) {
    this.slice = slice;
    this.first = first;
    this.channels = channels;
    this.edges = [0, 1, 2].map((a) => new Int32Array(a < first ? 0 : faceSize(slice, a) * channels));
    /** @type {Float64Array[]} */
    this.shown = [];
    /** @type {(Float64Array | null)[]} */
    this.missing = [null, null, null];
    /** @type {Cosines[]} */
    this.along = [];
  }

  /**
   * Begin a channel of a box.
   * @param {Box} box
   * @param {number} channel
   */
  enter(box, channel) {
    this.box = box;
    this.rows = ALONG.map((c) => box.size[c]);
    for (let a = this.first; a < 3; a++) {
      const across = box.size[ACROSS[a]], along = box.size[ALONG[a]];
      this.along[a] = cosines(box.size[a], this.first < 2);
      this.shown[a] = new Float64Array(across * along);
      this.missing[a] = null;
      if (box.start[a] === this.slice.start[a]) continue;
      const missing = (this.missing[a] = new Float64Array(across * along));
      this.overFace(box, a, channel, (edges, at, i) => (missing[i] = edges[at]));
      turn(missing, along, 1, false);
      turn(missing, across, along, false);
    }
  }

  /**
   * Note a coefficient that is known from now on.
   * @param {number[]} k
   * @param {number} q
   */
  met(k, q) {
    for (let a = this.first; a < 3; a++) {
      const face = k[ACROSS[a]] * this.rows[a] + k[ALONG[a]], missing = this.missing[a];
      this.shown[a][face] += q * this.along[a].beyond[k[a]];
      if (missing) missing[face] -= Math.floor((q * this.along[a].first[k[a]] + 128) / 256);
    }
  }

  /**
   * What is missing of a frequency against what one step of it gives: 0 to 8; 9 without a border.
   * @param {number[]} k
   * @param {number} a axis
   */
  asked(k, a) {
    const missing = this.missing[a];
    if (!missing) return 9;
    const m = missing[k[ACROSS[a]] * this.rows[a] + k[ALONG[a]]], one = this.along[a].first[k[a]];
    const size = Math.abs(m) * 16384;
    const steps = (size >= 16 * one ? 1 : 0) + (size >= 38 * one ? 1 : 0) + (size >= 77 * one ? 1 : 0) + (size >= 160 * one ? 1 : 0);
    return m < 0 ? 4 - steps : 4 + steps;
  }

  /** The constant that the borders ask for. */
  guess() {
    let left = 0, open = 0;
    for (let a = this.first; a < 3; a++) {
      const missing = this.missing[a];
      if (!missing) continue;
      left += Math.floor((missing[0] * 16384) / this.along[a].first[0]);
      open++;
    }
    return open ? clamp(Math.floor((left + 32 * open) / (64 * open)), -MOST_GUESS, MOST_GUESS) : 0;
  }

  /**
   * Leave what the box shows for those after it.
   * @param {number} channel
   */
  leave(channel) {
    const { box } = this;
    for (let a = this.first; a < 3; a++) {
      const across = box.size[ACROSS[a]], along = box.size[ALONG[a]], shown = this.shown[a];
      for (let i = 0; i < shown.length; i++) shown[i] = clamp(Math.floor((shown[i] + 128) / 256), -MOST_FACE, MOST_FACE);
      turn(shown, across, along, true);
      turn(shown, along, 1, true);
      this.overFace(box, a, channel, (edges, at, i) => (edges[at] = clamp(shown[i], -MOST_EDGE, MOST_EDGE)));
    }
  }

  /**
   * @param {Box} box
   * @param {number} a axis
   * @param {number} channel
   * @param {(edges: Int32Array, at: number, i: number) => void} visit called with each place of a box's face
   */
  overFace(box, a, channel, visit) {
    const edges = this.edges[a], along = box.size[ALONG[a]], stride = this.slice.size[ALONG[a]];
    let row = facePlace(this.slice, box, a), i = 0;
    for (let j = 0; j < box.size[ACROSS[a]]; j++, row += stride)
      for (let k = 0; k < along; k++) visit(edges, (row + k) * this.channels + channel, i++);
  }
}

/**
 * Places of the boxes of a slice seen along an axis.
 * @param {Box} slice
 * @param {number} a axis
 */
export function faceSize(slice, a) {
  return slice.size[ACROSS[a]] * slice.size[ALONG[a]];
}

/**
 * The first place of a box's face.
 * @param {Box} slice
 * @param {Box} box
 * @param {number} a axis
 */
export function facePlace(slice, box, a) {
  const b = ACROSS[a], c = ALONG[a];
  return (box.start[b] - slice.start[b]) * slice.size[c] + box.start[c] - slice.start[c];
}
