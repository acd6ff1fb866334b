// Bits from a narrowing interval, and integers of bits whose probabilities are learned (docs/format.md, "Integers").
import { broken } from "./bytes.mjs";
import { clamp } from "./numbers.mjs";

/** A string of bytes read bit by bit, each with a probability in 2^-16 that it is 1. */
export class Bits {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
    this.read = 0;
    // Low and high end of the interval, and the bits that are looked at.
    this.state = new Uint32Array([0, 0xffffffff, 0]);
    for (let i = 0; i < 4; i++) this.state[2] = (this.state[2] << 8) | this.next();
  }

  next() {
    return this.read < this.bytes.length ? this.bytes[this.read++] : (this.read++, 0);
  }

  /**
   * @param {number} one probability that the bit is 1
   * @returns {number} 0 or 1
   */
  bit(one) {
    const state = this.state;
    let low = state[0], high = state[1];
    const range = high - low;
    const middle = low + (range >>> 16) * one + (((range & 0xffff) * one) >>> 16);
    const bit = state[2] <= middle ? 1 : 0;
    if (bit) high = middle;
    else low = middle + 1;
    while ((low ^ high) >>> 24 === 0) {
      low = (low << 8) >>> 0;
      high = ((high << 8) | 255) >>> 0;
      state[2] = (state[2] << 8) | this.next();
    }
    state[0] = low;
    state[1] = high;
    return bit;
  }

  /** Make sure that no more was read than any writer leaves out. */
  check() {
    if (this.read > this.bytes.length + 4) broken("coded numbers are cut short");
  }

  /** Make sure that all was read, too. */
  finish() {
    this.check();
    if (this.read < this.bytes.length) broken("coded numbers end too late");
  }
}

/** Probabilities of bits that are learned, each with how often it was seen. */
export class Chances {
  /**
   * @param {Bits} bits
   * @param {number} count
   */
  constructor(bits, count) {
    this.bits = bits;
    this.one = new Uint16Array(count).fill(32768);
    this.seen = new Uint8Array(count);
  }

  /** @param {number} context */
  bit(context) {
    const one = this.one[context], seen = this.seen[context], rate = (65536 / (seen + 2)) | 0;
    const bit = this.bits.bit(one);
    const moved = bit ? one + (((65536 - one) * rate) >>> 16) : one - ((one * rate) >>> 16);
    this.one[context] = clamp(moved, 32, 65504);
    if (seen < 254) this.seen[context]++;
    return bit;
  }
}
