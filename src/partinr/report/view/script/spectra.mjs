// Coded cosines: integers over the boxes of a tree (docs/format.md, "Coded cosines").
import { ACROSS, ALONG, Borders, facePlace, faceSize } from "./borders.mjs";
import { broken, readNumber } from "./bytes.mjs";
import { Bits, Chances } from "./intervals.mjs";
import { clamp, sides } from "./numbers.mjs";

/** @typedef {import("./borders.mjs").Box} Box */

const STARTS = [1, 2, 3, 4, 5, 7, 8, 10, 13, 16, 20, 25, 32, 40, 50, 64, 80, 100, 128, 160, 200, 256, 320];
const LEVELS = Uint8Array.from({ length: 321 }, (_, v) => STARTS.filter((start) => start <= v).length);
const LOG_ODDS = Int16Array.from({ length: 4096 }, (_, j) => Math.round(256 * Math.log((j + 0.5) / (4095.5 - j))));
const ODDS = Uint16Array.from({ length: 6143 }, (_, i) =>
  clamp(Math.round(65536 / (1 + Math.exp((3071 - i) / 256))), 24, 65512),
);
const RATES = Uint16Array.from({ length: 255 }, (_, n) => 65536 / (n + 2));
const WEIGHT_RATES = Int32Array.from({ length: 1024 }, (_, n) => 197 + Math.floor(77600 / (32 + n)));
const CONTEXTS = 7, MOST_UNARY = 14, LARGE = 1000;
// Contexts of each size, with room for 16 bits of unary, and of each sign.
const SIZES = [24 * 24, 25 * 12, 64 * 8, 25 * 16, 24 * 8, 125 * 7, 12 * 12], SIGNS = [128, 900, 256, 900, 900, 300, 800];
// Where contexts of plain bits begin.
const REACH = 64, CONSTANT = 12352, ESCAPE = 14656, PLAIN = 14848;

/** @param {number} v */
function level(v) {
  return LEVELS[v < 320 ? v : 320];
}

/** @param {number} v below 2^32 */
function digits(v) {
  return 32 - Math.clz32(v);
}

/** @param {number} y */
function agreementClass(y) {
  return y < -24 ? 0 : y < -8 ? 1 : y < -2 ? 2 : y <= 2 ? 3 : y <= 8 ? 4 : y <= 24 ? 5 : 6;
}

/**
 * Bits that are mixed of what seven contexts say.
 */
class Mixed {
  /**
   * @param {Bits} bits
   * @param {number[]} contexts how many of each
   * @param {number} sets of weights
   */
  constructor(bits, contexts, sets) {
    this.bits = bits;
    /** @type {number[]} */
    this.offsets = [];
    let total = 0;
    for (const count of contexts) this.offsets.push(total), (total += count);
    this.one = new Uint16Array(total).fill(32768);
    this.seen = new Uint8Array(total);
    this.weights = new Int32Array(sets * CONTEXTS).fill(14418);
    this.used = new Uint16Array(sets);
    /** The contexts of the next bit. */
    this.at = new Int32Array(CONTEXTS);
    this.inputs = new Int32Array(CONTEXTS);
  }

  /** @param {number} set */
  bit(set) {
    const { one, seen, weights, at, inputs } = this, base = set * CONTEXTS;
    let sum = 0;
    for (let i = 0; i < CONTEXTS; i++) {
      const n = seen[at[i]], x = (LOG_ODDS[one[at[i]] >> 4] * (n < 7 ? n + 1 : 8)) >> 3;
      inputs[i] = x;
      sum += weights[base + i] * x;
    }
    const p = ODDS[clamp(Math.floor(sum / 65536), -3071, 3071) + 3071];
    const bit = this.bits.bit(p);
    const error = ((bit << 16) - p) * WEIGHT_RATES[this.used[set]];
    if (this.used[set] < 1023) this.used[set]++;
    for (let i = 0; i < CONTEXTS; i++) {
      weights[base + i] = clamp(weights[base + i] + Math.floor((inputs[i] * error + 2 ** 23) / 2 ** 24), -(2 ** 24), 2 ** 24);
      const c = at[i], n = seen[c];
      one[c] += (((bit ? 65535 : 0) - one[c]) * RATES[n]) >> 16;
      if (n < 254) seen[c] = n + 1;
    }
    return bit;
  }
}

/** What a box leaves for those that touch it; of each channel. */
class Trace {
  /**
   * @param {number} depth
   * @param {number} channels
   * @param {number} bands
   */
  constructor(depth, channels, bands) {
    this.depth = depth;
    this.border = 0;
    this.numbers = new Float64Array(channels * (bands + 3));
    this.bands = this.numbers.subarray(0, channels * bands);
    this.reach = this.numbers.subarray(channels * bands, channels * (bands + 1));
    this.agreement = this.numbers.subarray(channels * (bands + 1));
  }
}

/** Reads the trees of a slice. */
class SliceReader {
  /** @type {number[]} places from one frequency to the next, in sizes with zeros around them */ steps;
  /** @type {number} where the first one is */ origin;
  /**
   * @param {Uint8Array} bytes
   * @param {Box} slice
   * @param {number} dims
   * @param {number} channels
   * @param {number} least
   */
  constructor(bytes, slice, dims, channels, least) {
    this.bits = new Bits(bytes);
    this.slice = slice;
    this.dims = dims;
    this.first = 3 - dims;
    this.channels = channels;
    this.kinds = Math.min(channels, 3);
    this.least = least;
    this.alongBands = [40, 7, 5][dims - 1];
    this.bands = [40, 49, 125][dims - 1];
    this.plain = new Chances(this.bits, PLAIN);
    this.sizes = new Mixed(this.bits, SIZES.map((n) => n * this.kinds * 16), 3 * 4 * MOST_UNARY);
    this.signs = new Mixed(this.bits, SIGNS.map((n) => n * this.kinds), 4 * 3);
    this.borders = new Borders(slice, this.first, channels);
    /** @type {Trace[][]} */
    this.owners = [0, 1, 2].map((a) => new Array(a < this.first ? 0 : faceSize(slice, a)));
    /** @type {Map<number, Frequency[]>} */
    this.frequencies = new Map();
    this.agreed = [0, 0];
    // Sizes of the channel at hand, and what the first one and the one before say.
    this.own = new Int32Array(0);
    this.others = [this.own, this.own];
    // Of each band of the channel at hand.
    this.sums = new Float64Array(this.bands);
    this.counts = new Int32Array(this.bands);
    this.nothing = new Float64Array(this.bands);
  }

  /**
   * @param {Box} box
   * @param {(box: Box, q: Int32Array) => void} leaf called with each box and its integers, (channels, ...size)
   */
  tree(box, leaf) {
    const long = box.size.filter((n) => n > 1);
    if (long.length && Math.min(...long) >= 2 * this.least) {
      let smaller = 0;
      for (const a of this.open(box)) smaller += this.owners[a][facePlace(this.slice, box, a)].depth > box.depth ? 1 : 0;
      if (this.plain.bit(Math.min(box.depth, 15) * 4 + smaller)) {
        for (let part = 0; part < 8; part++) {
          // The last axis is the lowest bit; axes of one sample have no second half.
          const second = [part >> 2, (part >> 1) & 1, part & 1];
          if (second.some((s, a) => s && box.size[a] === 1)) continue;
          const half = box.size.map((n) => n >> 1);
          this.tree(
            {
              start: box.start.map((start, a) => start + second[a] * half[a]),
              size: box.size.map((n, a) => (n === 1 ? 1 : second[a] ? n - half[a] : half[a])),
              depth: box.depth + 1,
            },
            leaf,
          );
        }
        return;
      }
    }
    leaf(box, this.leaf(box));
  }

  /**
   * Axes along which other boxes of the slice come before.
   * @param {Box} box
   */
  open(box) {
    return [0, 1, 2].filter((a) => a >= this.first && box.start[a] > this.slice.start[a]);
  }

  /**
   * What the boxes that touch one say of it on average; null if none does.
   * @param {Box} box
   */
  expected(box) {
    /** @type {Trace[]} */
    const near = [];
    for (const a of this.open(box)) {
      const owners = this.owners[a], columns = box.size[ALONG[a]];
      let place = facePlace(this.slice, box, a);
      for (let i = 0; i < box.size[ACROSS[a]]; i++, place += this.slice.size[ALONG[a]])
        for (let j = place; j < place + columns; j++) if (owners[j].border++ === 0) near.push(owners[j]);
    }
    if (near.length === 0) return null;
    const mean = new Trace(0, this.channels, this.bands), numbers = mean.numbers;
    let weight = 0;
    for (const trace of near) {
      const { border } = trace, own = trace.numbers;
      for (let i = 0; i < numbers.length; i++) numbers[i] += border * own[i];
      weight += border;
      trace.border = 0;
    }
    for (let i = 0; i < numbers.length; i++) if (numbers[i]) numbers[i] = Math.floor(numbers[i] / weight);
    return mean;
  }

  /** @param {Box} box */
  leaf(box) {
    const { size } = box, before = this.expected(box), trace = new Trace(box.depth, this.channels, this.bands);
    const samples = size[0] * size[1] * size[2], all = new Int32Array(this.channels * samples);
    // Sizes have zeros around them; those after a row are those before the next one.
    const padded = size.map((n, a) => (a < this.first ? n : n + (this.dims === 1 ? 4 : 2)));
    this.steps = [padded[1] * padded[2], padded[2], 1];
    this.origin = this.steps[0] + this.steps[1] + 1;
    const room = this.origin + padded[0] * this.steps[0];
    if (this.own.length < room) {
      this.own = new Int32Array(2 * room);
      this.others = [new Int32Array(2 * room), new Int32Array(2 * room)];
    }
    for (let c = 0; c < this.channels; c++) {
      this.own.fill(0, 0, room);
      this.channel(box, c, all, before, trace);
      if (c + 1 < this.channels) this.surround(size, this.others[c ? 1 : 0]);
    }
    for (let a = this.first; a < 3; a++) {
      let place = facePlace(this.slice, box, a);
      for (let i = 0; i < size[ACROSS[a]]; i++, place += this.slice.size[ALONG[a]])
        this.owners[a].fill(trace, place, place + size[ALONG[a]]);
    }
    return all;
  }

  /**
   * Sizes of a channel, counted twice, and of their neighbours along the axes.
   * @param {number[]} size
   * @param {Int32Array} found
   */
  surround(size, found) {
    const { own } = this;
    for (let i = 0; i < size[0]; i++)
      for (let j = 0; j < size[1]; j++)
        for (let k = 0; k < size[2]; k++) {
          const at = this.origin + i * this.steps[0] + j * this.steps[1] + k;
          let sum = 2 * own[at];
          for (let a = this.first; a < 3; a++) sum += own[at - this.steps[a]] + own[at + this.steps[a]];
          found[at] = sum;
        }
  }

  /**
   * @param {number} value
   * @returns {number} its digits are as many as bits 1 before it
   */
  number(value) {
    let length = 0;
    while (length < 26 && this.plain.bit(value + length)) length++;
    let found = 1;
    for (let i = length - 1; i >= 0; i--)
      found = found * 2 + (i === length - 1 ? this.plain.bit(value + 32 + length) : this.bits.bit(32768));
    return found - 1;
  }

  /**
   * @param {number} n
   * @returns {Frequency[]}
   */
  frequenciesOf(n) {
    const known = this.frequencies.get(n);
    if (known) return known;
    const { dims } = this;
    const made = Array.from({ length: n }, (_, k) => {
      let band = 0;
      if (k && dims > 1) band = clamp(digits(((dims === 2 ? 64 : 16) * k) / n), 1, dims === 2 ? 6 : 4);
      else if (k) {
        const f = Math.floor((1024 * k) / n), octave = digits(f) - 1;
        band = octave < 0 ? 1 : Math.min(39, 1 + 4 * octave + (Math.floor((4 * f) / 2 ** octave) & 3));
      }
      return {
        band,
        radius: Math.floor(((dims === 1 ? 256 : 64) * k) / n),
        slope: Math.floor((16 * k) / n),
        place: Math.min(k, [63, 7, 3][dims - 1]),
      };
    });
    this.frequencies.set(n, made);
    return made;
  }

  /**
   * @param {Box} box
   * @param {number} c
   * @param {Int32Array} all integers of all channels
   * @param {Trace | null} before
   * @param {Trace} trace
   */
  channel(box, c, all, before, trace) {
    const { own, others, sums, counts, nothing, dims, first, bands, alongBands, kinds, sizes, plain, bits } = this, n = box.size;
    const samples = n[0] * n[1] * n[2], base = c * samples, kind = Math.min(c, 2);
    const { steps, origin } = this;
    this.borders.enter(box, c);
    const most = n[0] + n[1] + n[2] - 2;
    const usual = before ? 1 + Math.min(6, Math.floor(level((before.reach[c] * most) >> 6) / 3)) : 0;
    const firstReach = c ? Math.min(7, 1 + Math.floor(level((trace.reach[0] * most) >> 6) / 3)) : 0;
    const reach = this.number(REACH + ((kind * 8 + usual) * 8 + firstReach) * 64);
    if (reach > most) broken("coefficients lie outside their box");
    trace.reach[c] = Math.floor((64 * reach) / most);

    this.agreed[0] = this.agreed[1] = 0;
    sums.fill(0);
    counts.fill(0);
    const means = before ? before.bands : nothing, firstBand = before ? c * bands : 0;
    const sizeClass = Math.min(7, digits(Math.max(...n))), ahead = dims === 1 ? 2 : steps[first];
    const [f0, f1, f2] = n.map((side) => this.frequenciesOf(side));
    const up = steps[1], out = steps[0], k = [0, 0, 0], offsets = sizes.offsets, at = sizes.at;
    for (k[0] = Math.min(n[0], reach) - 1; k[0] >= 0; k[0]--)
      for (k[1] = Math.min(n[1], reach - k[0]) - 1; k[1] >= 0; k[1]--) {
        bits.check();
        const g0 = f0[k[0]], g1 = f1[k[1]];
        const rowBand = (g0.band * alongBands + g1.band) * alongBands;
        const rowPlace = dims === 1 ? 0 : dims === 2 ? g1.place * 8 : (g0.place * 4 + g1.place) * 4;
        const row = base + (k[0] * n[1] + k[1]) * n[2], place = origin + k[0] * out + k[1] * up;
        for (let k2 = Math.min(n[2], reach - k[0] - k[1]) - 1; k2 >= 0; k2--) {
          if (k[0] + k[1] + k2 === 0) continue;
          k[2] = k2;
          const p = place + k2, f = f2[k2];
          const other = c ? others[0][p] + (c > 1 ? others[1][p] : 0) : 0;
          const higher =
            dims === 2
              ? 2 * (own[p + 1] + own[p + up]) + own[p + 2] + own[p + up + 1] + own[p + up - 1] + own[p + 2 * up]
              : dims === 1
                ? 3 * own[p + 1] + 2 * (own[p + 2] + own[p + 3]) + own[p + 4]
                : 2 * (own[p + 1] + own[p + up] + own[p + out]) + own[p + up + 1] + own[p + out + 1] + own[p + out + up];
          const band = rowBand + f.band, mean = means[firstBand + band];
          const a = level(higher), b = before ? 1 + level(mean >> 1) : 0, half = a >> 1;
          const slope = [f, g1, g0][dims - 1].slope;
          at[0] = a * 24 + level((g0.radius + g1.radius + f.radius) >> 1);
          at[1] = b * 12 + half;
          at[2] = (rowPlace + f.place) * 8 + sizeClass;
          at[3] = c ? level(other) * 12 + half : b * 16 + slope;
          at[4] = level((4 * higher + mean + 2 * other) >> 2) * 8 + sizeClass;
          at[5] = band * 7 + (half < 6 ? half : 6);
          at[6] = Math.min(own[p + 1], 11) * 12 + Math.min(own[p + ahead], 11);
          for (let i = 0; i < CONTEXTS; i++) at[i] = offsets[i] + (at[i] * kinds + kind) * 16;
          const weights = (kind * 4 + (a === 0 ? 0 : a < 4 ? 1 : a < 8 ? 2 : 3)) * MOST_UNARY;
          let size = 0;
          while (size < MOST_UNARY && sizes.bit(weights + size)) {
            size++;
            for (let i = 0; i < CONTEXTS; i++) at[i]++;
          }
          if (size === MOST_UNARY) size += this.number(ESCAPE + kind * 64);
          counts[band]++;
          if (size === 0) continue;
          own[p] = Math.min(size, LARGE);
          sums[band] += own[p];
          const q = this.negative(size, k, c, all, row + k2 - base, samples, before) ? -size : size;
          all[row + k2] = q;
          this.borders.met(k, q);
        }
      }
    // The constant comes last: the borders say what is left for it.
    const guess = this.borders.guess();
    const difference = this.number(CONSTANT + (kind * 12 + Math.min(11, digits(samples))) * 64);
    all[base] = guess + (difference && bits.bit(32768) ? -difference : difference);
    this.borders.met([0, 0, 0], all[base]);
    this.borders.leave(c);
    bits.check();
    own[origin] = Math.min(Math.abs(all[base]), LARGE);
    for (let i = 0; i < bands; i++)
      if (counts[i]) trace.bands[c * bands + i] = Math.floor((16 * sums[i]) / counts[i]);
    for (let i = 0; i < 2; i++) {
      const usually = before ? before.agreement[2 * c + i] : 0;
      trace.agreement[2 * c + i] = this.agreed[i] || Math.floor(usually / 2);
    }
  }

  /**
   * @param {number} size of the integer
   * @param {number[]} k
   * @param {number} c
   * @param {Int32Array} all
   * @param {number} index of k in a channel
   * @param {number} samples
   * @param {Trace | null} before
   */
  negative(size, k, c, all, index, samples, before) {
    const { first, dims, kinds, agreed, signs } = this, kind = Math.min(c, 2);
    const missing = [9, 9, 9];
    for (let a = first; a < 3; a++) missing[a] = this.borders.asked(k, a);
    const values = [c > 0 ? all[index] : 0, c > 1 ? all[(c - 1) * samples + index] : 0];
    const z = [0, 0], here = [7, 7], around = [7, 7];
    for (let i = 0; i < 2; i++) {
      if (!values[i]) continue;
      const sign = values[i] < 0 ? -1 : 1, usually = before ? before.agreement[2 * c + i] : 0;
      z[i] = Math.min(3, Math.abs(values[i]));
      here[i] = agreementClass(sign * agreed[i]);
      around[i] = agreementClass(sign * usually);
    }
    const much = Math.min(size, 3) - 1;
    /** @type {(a: number, b: number) => number} */
    const border = (a, b) => ((missing[a] * 10 + Math.min(k[a], 9)) * 3 + much) * 3 + Math.min(k[b], 2);
    const both = missing[2] * 10 + missing[first];
    const contexts = [
      (here[0] * 4 + z[0]) * 4 + z[1],
      dims === 3 ? border(1, 2) : (around[0] * 4 + z[0]) * 4 + z[1],
      (here[0] * 8 + here[1]) * 4 + z[0],
      border(2, first),
      border(first, 2),
      both * 3 + much,
      both * 8 + here[0],
    ];
    for (let i = 0; i < CONTEXTS; i++) signs.at[i] = signs.offsets[i] + contexts[i] * kinds + kind;
    const octave = Math.min(3, digits(k[0] + k[1] + k[2]) - 1);
    const bit = signs.bit(octave * 3 + kind);
    for (let i = 0; i < 2; i++) {
      if (!values[i]) continue;
      const by = 3 * Math.min(4, size * Math.abs(values[i]));
      agreed[i] = clamp(agreed[i] + (values[i] < 0 === (bit === 1) ? by : -by), -60, 60);
    }
    return bit;
  }
}

/** @typedef {{band: number, radius: number, slope: number, place: number}} Frequency */
/** @typedef {{boxes: Box[], integers: Int32Array[], step: number, mixing: Float64Array}} Spectra */

/**
 * What a section of coded cosines holds.
 * @param {Uint8Array} bytes
 * @param {number[]} shape
 * @param {number} channels
 * @returns {Spectra}
 */
export function codedSpectra(bytes, shape, channels) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const step = view.getFloat32(0, true);
  let at = 4, root, least, mixed;
  [root, at] = readNumber(bytes, at);
  [least, at] = readNumber(bytes, at);
  [mixed, at] = readNumber(bytes, at);
  if (!(step > 0 && step <= 2 ** 64 && least >= 2 && least <= root && root <= 1024 && mixed <= 1))
    broken("coded cosines are out of range");
  const mixing = new Float64Array(channels * channels);
  for (let i = 0; i < mixing.length; i++) {
    mixing[i] = mixed ? view.getInt16(at, true) / 16384 : i % (channels + 1) === 0 ? 1 : 0;
    if (mixed) at += 2;
  }
  const dims = shape.length, lengths = sides(shape);
  const parts = lengths.map((n) => Math.ceil(n / root)), found = lengths.findIndex((_, a) => parts[a] > 1);
  const axis = found < 0 ? 2 : found;
  const total = lengths.reduce((product, n) => product * n, 1);
  const rows = Math.max(1, Math.floor(2 ** 20 / Math.max(1, Math.floor(total / parts[axis]))));
  const slices = Math.ceil(parts[axis] / rows);
  /** @type {number[]} */
  const sizes = [];
  for (let i = 0, size; i < slices - 1; i++) ([size, at] = readNumber(bytes, at)), sizes.push(size);
  /** @type {(a: number, i: number) => number} */
  const edge = (a, i) => Math.floor((i * lengths[a]) / parts[a]);
  /** @type {Spectra} */
  const spectra = { boxes: [], integers: [], step, mixing };
  for (let s = 0; s < slices; s++) {
    const from = [0, 0, 0], to = [...parts];
    from[axis] = s * rows;
    to[axis] = Math.min(parts[axis], from[axis] + rows);
    /** @type {(from: number[], to: number[]) => Box} */
    const box = (from, to) => ({
      start: from.map((i, a) => edge(a, i)),
      size: from.map((i, a) => edge(a, to[a]) - edge(a, i)),
      depth: 0,
    });
    const length = s < slices - 1 ? sizes[s] : bytes.length - at;
    if (at + length > bytes.length) broken("coded numbers are cut short");
    const reader = new SliceReader(bytes.subarray(at, at + length), box(from, to), dims, channels, least);
    at += length;
    for (let i = from[0]; i < to[0]; i++)
      for (let j = from[1]; j < to[1]; j++)
        for (let k = from[2]; k < to[2]; k++)
          reader.tree(box([i, j, k], [i + 1, j + 1, k + 1]), (own, q) => {
            spectra.boxes.push(own);
            spectra.integers.push(q);
          });
    reader.bits.finish();
  }
  return spectra;
}
