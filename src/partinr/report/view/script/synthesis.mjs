// Values at the samples from coefficients of cosines, and the jumps at borders of boxes that rounding made taken back
// (src/partinr/model/deblocking.py).
import { clamp, sides } from "./numbers.mjs";

/** @typedef {import("./spectra.mjs").Spectra} Spectra */

// See there: steps that jumps and differences within boxes may have, and how much of a jump goes.
const JUMP = 2.5, FLAT = 2, TAKEN = 0.75;

/**
 * @param {(spectra: Spectra, r: number, shape: number[], channels: number, values: Float32Array) => void} spread
 *   puts coefficients of a box where its samples are
 * @param {Spectra} spectra
 * @param {number[]} shape
 * @param {number} channels
 * @returns {Float32Array} normalised values, (samples, channels)
 */
export function synthesised(spread, spectra, shape, channels) {
  const { boxes, integers, step, mixing } = spectra, apart = { ...spectra, mixing: mixing.map((_, i) => Number(i % (channels + 1) === 0)) };
  const lengths = sides(shape), strides = [lengths[1] * lengths[2] * channels, lengths[2] * channels, channels];
  /** @type {Map<number, Float64Array>} */
  const tables = new Map();
  const lively = new Uint8Array(lengths[0] * strides[0]);
  let values = new Float32Array(lively.length);
  boxes.forEach(({ start, size }, r) => {
    spread(apart, r, shape, channels, values);
    const own = integers[r], count = own.length / channels;
    const sums = Uint8Array.from({ length: channels }, (_, c) =>
      Math.min(10, own.subarray(c * count + 1, (c + 1) * count).reduce((sum, q) => sum + Math.abs(q), 0)),
    );
    for (const first of lines(start, size, 2, strides)) for (let i = 0; i < size[2]; i++) lively.set(sums, first + i * channels);
    for (let a = 2; a >= 0; a--) {
      const n = size[a], stride = strides[a], line = new Float64Array(n);
      if (n === 1) continue;
      const table = tables.get(n) ?? Float64Array.from({ length: n * n }, (_, i) => Math.cos((Math.PI * (i % n) * (2 * Math.floor(i / n) + 1)) / (2 * n)));
      tables.set(n, table);
      for (const first of lines(start, size, a, strides))
        for (let at = first; at < first + channels; at++) {
          let reach = n;
          while (reach && !values[at + (reach - 1) * stride]) reach--;
          if (!reach) continue;
          for (let k = 0; k < reach; k++) line[k] = values[at + k * stride];
          for (let i = 0; i < n; i++) {
            let sum = 0;
            for (let k = 0, from = i * n; k < reach; k++) sum += line[k] * table[from + k];
            values[at + i * stride] = sum;
          }
        }
    }
  });
  for (let a = 2; a > 2 - shape.length; a--) {
    const before = values, stride = strides[a];
    values = values.slice();
    for (const { start, size } of boxes)
      for (const inwards of [1, -1]) {
        const end = inwards > 0 ? 0 : size[a] - 1, beyond = start[a] + end - 2 * inwards;
        if (beyond < 0 || beyond >= lengths[a]) continue;
        const by = inwards * stride, further = size[a] > 1 ? by : 0;
        for (const first of lines(start, size, a, strides))
          for (let at = first + end * stride, last = at + channels; at < last; at++) {
            const own = before[at], other = before[at - by], jump = own - other;
            const rough = Math.abs(own - before[at + further]) + Math.abs(other - before[at - 2 * by]);
            const share = TAKEN * Math.max(0, 1 - (jump / (step * JUMP)) ** 2) * Math.max(0, 1 - rough / (step * FLAT));
            if (!share) continue;
            const over = clamp(Math.floor((3 * size[a]) / (6 + 3 * lively[at] + lively[at - by])), 1, [8, 32, 4][shape.length - 1]);
            for (let k = 0; k < over; k++) values[at + k * by] -= 0.5 * (1 - (k + 0.5) / over) * share * jump;
          }
      }
  }
  return values.map((_, at) => {
    let sum = 0, e = at % channels;
    for (let c = 0; c < channels; c++) sum += values[at - e + c] * mixing[c * channels + e];
    return sum;
  });
}

/**
 * Where each line of a box along an axis begins.
 * @param {number[]} start
 * @param {number[]} size
 * @param {number} a axis
 * @param {number[]} strides
 */
function lines(start, size, a, strides) {
  const [b, c] = [0, 1, 2].filter((axis) => axis !== a), found = [];
  const first = start[0] * strides[0] + start[1] * strides[1] + start[2] * strides[2];
  for (let i = 0; i < size[b]; i++) for (let j = 0; j < size[c]; j++) found.push(first + i * strides[b] + j * strides[c]);
  return found;
}
