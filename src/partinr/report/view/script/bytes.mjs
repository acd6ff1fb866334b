// Bytes: checksums, inflating, numbers. `crypto` would do some of it, but is missing where a page has no secure origin.

/** What is wrong with a file, in words for whoever opened the page. */
export class Damaged extends Error {}

/**
 * @param {string} message
 * @returns {never}
 */
export function broken(message) {
  throw new Damaged(message);
}

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
  broken("a number has no end");
}

/**
 * Inflate a stream of RFC 1951.
 * @param {Uint8Array} bytes
 * @param {number} most bytes that may come out
 * @param {Uint8Array} [before] what the stream may refer to
 * @returns {Promise<Uint8Array>}
 */
export async function inflate(bytes, most, before = new Uint8Array(0)) {
  // Browsers know no preset dictionary, but streams that begin with a block that is stored.
  const n = before.length, stored = Uint8Array.of(0, n, n >> 8, ~n, ~n >> 8, ...before), out = new Uint8Array(n + most);
  const parts = new Blob([stored, /** @type {BlobPart} */ (bytes)]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  let made = 0;
  try {
    for (let part; !(part = await parts.read()).done; made += part.value.length) out.set(part.value, made);
  } catch {
    broken("a deflated stream is broken or too long");
  }
  return out.subarray(n, made);
}

/**
 * Inflate a stream of zlib (RFC 1950); its checksum is left to that of the file around it.
 * @param {Uint8Array} bytes
 * @param {number} most bytes that may come out
 */
export function unzlib(bytes, most) {
  return inflate(bytes.subarray(2, bytes.length - 4), most);
}
