// Bytes: checksums, inflating, text, numbers. `crypto` and `DecompressionStream` would do some of it, but the first is
// missing where a page has no secure origin, and the second knows no preset dictionary.

/** What is wrong with a file, in words for whoever opened the page. */
export class Damaged extends Error {}

/**
 * SHA-256 (FIPS 180-4) of the parts one after another.
 * @param {Uint8Array[]} parts
 * @returns {string} in hexadecimal digits
 */
export function sha256(...parts) {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(((length + 9 + 63) >> 6) << 6);
  let at = 0;
  for (const part of parts) bytes.set(part, at), (at += part.length);
  bytes[length] = 0x80;
  const view = new DataView(bytes.buffer);
  view.setUint32(bytes.length - 8, Math.floor(length / 2 ** 29));
  view.setUint32(bytes.length - 4, (length << 3) >>> 0);
  const [state, constants] = rootsOfPrimes();
  const w = new Uint32Array(64);
  for (let block = 0; block < bytes.length; block += 64) {
    for (let i = 0; i < 16; i++) w[i] = view.getUint32(block + 4 * i);
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15], y = w[i - 2];
      w[i] = w[i - 16] + w[i - 7] + (turned(x, 7) ^ turned(x, 18) ^ (x >>> 3)) + (turned(y, 17) ^ turned(y, 19) ^ (y >>> 10));
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const t1 = (h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g)) + constants[i] + w[i]) | 0;
      const t2 = ((turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g, g = f, f = e, e = (d + t1) | 0, d = c, c = b, b = a, a = (t1 + t2) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((x, i) => (state[i] += x));
  }
  return Array.from(state, (x) => x.toString(16).padStart(8, "0")).join("");
}

/**
 * @param {number} x
 * @param {number} by bits, to the right and around
 */
function turned(x, by) {
  return (x >>> by) | (x << (32 - by));
}

/**
 * The first 32 bits after the point of square roots of 8 primes, and of cube roots of 64.
 * @returns {[Uint32Array, Uint32Array]}
 */
function rootsOfPrimes() {
  const square = new Uint32Array(8), cube = new Uint32Array(64);
  for (let n = 2, found = 0; found < 64; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) if (n % d === 0) prime = false;
    if (!prime) continue;
    if (found < 8) square[found] = (Math.sqrt(n) % 1) * 2 ** 32;
    cube[found++] = (Math.cbrt(n) % 1) * 2 ** 32;
  }
  return [square, cube];
}

/**
 * A number of seven bits a byte, the lowest first.
 * @param {Uint8Array} bytes
 * @param {number} at
 * @returns {[number, number]} the number, and where the bytes after it begin
 */
export function readNumber(bytes, at) {
  for (let value = 0, unit = 1, i = 0; i < 9 && at + i < bytes.length; i++, unit *= 128) {
    value += (bytes[at + i] & 127) * unit;
    if (bytes[at + i] < 128) return [value, at + i + 1];
  }
  throw new Damaged("a number has no end");
}

// Least lengths and distances of their codes, and the order of lengths of codes (RFC 1951, sections 3.2.5 and 3.2.7).
const LENGTHS = leasts(28, 2, 3), DISTANCES = leasts(30, 1, 1);
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/**
 * The last length has a code of its own.
 * @param {number} count
 * @param {number} log2 of the codes that share their number of extra bits
 * @param {number} first
 */
function leasts(count, log2, first) {
  const found = [];
  for (let code = 0; code < count; code++) {
    found.push(first);
    first += 1 << Math.max(0, (code >> log2) - 1);
  }
  return log2 > 1 ? [...found, 258] : found;
}

/** @returns {never} */
function broken() {
  throw new Damaged("a deflated stream is broken or too long");
}

/**
 * Inflate a stream of RFC 1951.
 * @param {Uint8Array} bytes
 * @param {number} most bytes that may come out
 * @param {Uint8Array} [before] what the stream may refer to
 * @returns {Uint8Array}
 */
export function inflate(bytes, most, before = new Uint8Array(0)) {
  let out = new Uint8Array(before.length + Math.min(most, 4 * bytes.length + 1024));
  out.set(before);
  let made = before.length, at = 0, held = 0, count = 0;

  /** @param {number} n */
  function bits(n) {
    for (; count < n; count += 8) {
      if (at >= bytes.length) broken();
      held |= bytes[at++] << count;
    }
    const value = held & ((1 << n) - 1);
    held >>>= n;
    count -= n;
    return value;
  }
  /** @param {number} n */
  function room(n) {
    if (made + n > before.length + most) broken();
    if (made + n <= out.length) return;
    const larger = new Uint8Array(Math.min(before.length + most, Math.max(2 * out.length, made + n)));
    larger.set(out);
    out = larger;
  }
  /** @param {Huffman} code */
  function symbol(code) {
    for (let value = 0, first = 0, index = 0, length = 1; length < 16; length++) {
      value |= bits(1);
      const here = code.counts[length];
      if (value - here < first) return code.symbols[index + value - first];
      index += here;
      first = (first + here) << 1;
      value <<= 1;
    }
    return broken();
  }

  for (let last = 0; !last; ) {
    last = bits(1);
    const kind = bits(2);
    if (kind === 0) {
      held = count = 0;
      const length = bytes[at] | (bytes[at + 1] << 8);
      if (at + 4 + length > bytes.length) broken();
      room(length);
      out.set(bytes.subarray(at + 4, at + 4 + length), made);
      made += length;
      at += 4 + length;
      continue;
    }
    if (kind === 3) broken();
    const [literals, distances] = kind === 1 ? fixedCodes() : dynamicCodes(bits, symbol);
    for (let found = symbol(literals); found !== 256; found = symbol(literals)) {
      if (found < 256) {
        room(1);
        out[made++] = found;
        continue;
      }
      const l = found - 257;
      if (l > 28) broken();
      const length = LENGTHS[l] + bits(l < 8 || l === 28 ? 0 : (l - 4) >> 2);
      const d = symbol(distances);
      if (d > 29) broken();
      const distance = DISTANCES[d] + bits(d < 4 ? 0 : (d - 2) >> 1);
      if (distance > made) broken();
      room(length);
      for (let i = 0; i < length; i++, made++) out[made] = out[made - distance];
    }
  }
  return out.subarray(before.length, made);
}

/** @typedef {{counts: Uint16Array, symbols: Uint16Array}} Huffman */

/**
 * @param {ArrayLike<number>} lengths of the code of each symbol
 * @returns {Huffman}
 */
function huffman(lengths) {
  const counts = new Uint16Array(16), next = new Uint16Array(17), symbols = new Uint16Array(lengths.length);
  for (let i = 0; i < lengths.length; i++) counts[lengths[i]]++;
  counts[0] = 0;
  for (let i = 1; i < 16; i++) next[i + 1] = next[i] + counts[i];
  for (let i = 0; i < lengths.length; i++) if (lengths[i]) symbols[next[lengths[i]]++] = i;
  return { counts, symbols };
}

/** @returns {[Huffman, Huffman]} */
function fixedCodes() {
  const lengths = Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8));
  return [huffman(lengths), huffman(new Array(30).fill(5))];
}

/**
 * @param {(n: number) => number} bits
 * @param {(code: Huffman) => number} symbol
 * @returns {[Huffman, Huffman]}
 */
function dynamicCodes(bits, symbol) {
  const literals = bits(5) + 257, distances = bits(5) + 1, codes = bits(4) + 4;
  const own = new Uint8Array(19);
  for (let i = 0; i < codes; i++) own[ORDER[i]] = bits(3);
  const code = huffman(own);
  const lengths = new Uint8Array(literals + distances);
  for (let i = 0; i < lengths.length; ) {
    const found = symbol(code);
    if (found < 16) {
      lengths[i++] = found;
      continue;
    }
    const value = found === 16 && i ? lengths[i - 1] : 0;
    for (let again = found === 16 ? 3 + bits(2) : found === 17 ? 3 + bits(3) : 11 + bits(7); again; again--)
      lengths[i++] = value;
  }
  return [huffman(lengths.subarray(0, literals)), huffman(lengths.subarray(literals))];
}

/**
 * Inflate a stream of zlib (RFC 1950); its checksum is left to that of the file around it.
 * @param {Uint8Array} bytes
 * @param {number} most bytes that may come out
 */
export function unzlib(bytes, most) {
  return inflate(bytes.subarray(2, bytes.length - 4), most);
}
