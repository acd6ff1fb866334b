// Coded parameters of trained networks (docs/format.md, "Coded parameters").
import { broken } from "./bytes.mjs";
import { Bits, Chances } from "./intervals.mjs";
import { clamp } from "./numbers.mjs";

const QUARTERS = [1, 1.189207115002721, 1.4142135623730951, 1.681792830507429];

/** @param {number} i */
function power(i) {
  const whole = Math.floor(i / 4);
  return 2 ** whole * QUARTERS[i - 4 * whole];
}

/**
 * Number of binary digits of a whole number below 2^53.
 * @param {number} x
 */
function binaryDigits(x) {
  const high = Math.floor(x / 2 ** 32);
  return high ? 64 - Math.clz32(high) : 32 - Math.clz32(x >>> 0);
}

/** Integers of 64 classes. */
export class Integers {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bits = new Bits(bytes);
    // Of each class: 32 for lengths in binary, and four for the first digits after each length.
    this.chances = new Chances(this.bits, 64 * 128);
  }

  /** @param {number} kind its class */
  next(kind) {
    const base = kind * 128;
    let length = 1;
    for (let i = 0; i < 5; i++) length = 2 * length + this.chances.bit(base + length);
    length -= 32;
    this.bits.check();
    if (length > 20) broken("coded numbers are too long");
    if (length === 0) return 0;
    let size = 1;
    for (let i = 1; i < length; i++)
      size = 2 * size + (i <= 2 ? this.chances.bit(base + 32 + 4 * length + size) : this.bits.bit(32768));
    return this.bits.bit(32768) ? -size : size;
  }

  finish() {
    this.bits.finish();
  }
}

/** @typedef {{weights: Float32Array[], biases: Float32Array[]}} Layers weights (regions, fan in, fan out), biases (regions, fan out) */

/**
 * @param {Uint8Array} bytes
 * @param {{samples: number[], layers: [number, number][]}[]} groups of each the samples of its regions, and (fan in, fan out)
 * @returns {Layers[]}
 */
export function codedParameters(bytes, groups) {
  const integers = new Integers(bytes);
  let before = 0;
  const found = groups.map(({ samples, layers }) => {
    const regions = samples.length;
    /** @type {Layers} */
    const own = { weights: [], biases: [] };
    /** @type {Int32Array | null} */
    let below = null;
    let belowIn = 0, belowOut = 0;
    for (const [fanIn, fanOut] of [...layers].reverse()) {
      const gains = new Int32Array(regions * fanOut);
      for (let r = 0; r < regions; r++)
        for (let c = 0; c < fanOut; c++) {
          if (below === null) {
            gains[r * fanOut + c] = binaryDigits(samples[r]) - 1;
            continue;
          }
          let sum = 0;
          const row = (r * belowIn + (c % belowIn)) * belowOut;
          for (let i = 0; i < belowOut; i++) sum += below[row + i] ** 2;
          gains[r * fanOut + c] = binaryDigits(2 * Math.min(sum, 2 ** 50) + 1) - 1;
        }
      /** @param {number} rows of each region */
      const part = (rows) => {
        const step = (before += integers.next(63));
        const spread = integers.next(63), more = integers.next(63);
        const chain = more & 2 ? integers.next(63) : null;
        const mean = more & 1 ? power(step + integers.next(63)) : 0;
        const means = new Float64Array(rows * fanOut);
        if (more & 1) for (let i = 0; i < means.length; i++) means[i] = integers.next(62) * mean;
        const q = new Int32Array(regions * rows * fanOut), values = new Float32Array(q.length);
        for (let r = 0, at = 0; r < regions; r++)
          for (let i = 0; i < rows; i++)
            for (let c = 0; c < fanOut; c++, at++) {
              const gain = gains[r * fanOut + c], chained = chain !== null && c > 0;
              q[at] = integers.next(clamp((chained ? chain : spread) + gain, 0, 61));
              if (chained) q[at] += q[at - 1];
              values[at] = q[at] * power(step - 2 * gain) + means[i * fanOut + c];
            }
        return { q, values };
      };
      const weights = part(fanIn);
      own.weights.unshift(weights.values);
      own.biases.unshift(part(1).values);
      below = weights.q;
      belowIn = fanIn;
      belowOut = fanOut;
    }
    return own;
  });
  integers.finish();
  return found;
}
