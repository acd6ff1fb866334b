// The .inr file, of both versions (docs/format.md): its header, regions and parameters.
import { Damaged, equal, fromHalves, hexadecimal, inflate, readNumber, sha256, unzlib } from "./bytes.mjs";
import { Integers } from "./intervals.mjs";
import { codedParameters } from "./parameters.mjs";
import { codedSpectra } from "./spectra.mjs";

/**
 * @typedef {{name: string, hidden: number, layers: number, omega_0: number, omega_hidden: number, scale: number,
 *   sigma: number, frequencies: number, features: number, seed: number}} Network those fields that its name has
 * @typedef {{kind: "image" | "array", shape: number[], channels: number, dtype: string,
 *   value_range: [number, number], channel_axis: boolean}} Signal
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
 */

const MOST_HEADER = 4194304;
const BEFORE =
  '"networks":[{"name":"siren","hidden":,"layers":1,"omega_0":,"omega_hidden":30.0}],"frame":"local",' +
  '"overlap":1,"partition":{"rule":"grid:","regions":},"signal":{"kind":"array","shape":[,],"channels":1,' +
  '"dtype":"float32","value_range":[0.0,1.0],"channel_axis":false},"blend":true,"summary":{"psnr":}' +
  '"dtype":"uint16","value_range":[0,65535],"dtype":"uint8","value_range":[0,255],"channel_axis":true},' +
  '"blend":true,"overlap":0,"coding":"parameters","summary":{"psnr":' +
  '{"signal":{"kind":"image","shape":[512,768],"channels":3,"dtype":"uint8","value_range":[0.0,255.0],' +
  '"channel_axis":true},"blend":true,"coding":"spectra","summary":{"psnr":';

/** @param {number[]} numbers */
function product(numbers) {
  return numbers.reduce((product, n) => product * n, 1);
}

/**
 * Read a file.
 * @param {Uint8Array} bytes
 * @returns {Inr}
 * @throws {Damaged} these are no such bytes; says why
 */
export function opened(bytes) {
  try {
    return bytes[0] === 0x89 ? openedCompact(bytes) : openedPlain(bytes);
  } catch (error) {
    if (error instanceof Damaged) throw error;
    throw new Damaged(`the file cannot be read (${error})`);
  }
}

/** @param {Uint8Array} bytes */
function openedPlain(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = view.getUint32(0, true), start = 8 + length;
  if (view.getUint32(4, true) || length > MOST_HEADER || start > bytes.length) throw new Damaged("this is no .inr file");
  const text = new TextDecoder("latin1").decode(bytes.subarray(8, start));
  const entries = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  const header = JSON.parse(entries.__metadata__.partinr);
  if (header.format !== 1) throw new Damaged(`the file has the format ${header.format}; this page reads 1 and 2`);
  const digits = 8 + text.indexOf(header.sha256);
  const zeros = new TextEncoder().encode("0".repeat(64));
  const sum = sha256(bytes.subarray(0, digits), zeros, bytes.subarray(digits + 64));
  if (digits < 8 || hexadecimal(sum) !== header.sha256) throw new Damaged("the checksum differs: bytes were changed or lost");
  if (header.kind === "start") throw new Damaged("this is a learned start, not a fit");

  /** @type {(name: string) => Uint8Array} */
  const raw = (name) => bytes.slice(...entries[name].data_offsets.map((/** @type {number} */ offset) => start + offset));
  /** @type {(name: string) => Float32Array} */
  const floats = (name) => {
    const { buffer } = raw(name);
    return entries[name].dtype === "F16" ? fromHalves(new Uint16Array(buffer)) : new Float32Array(buffer);
  };
  const { shape } = header.signal, regions = header.partition.regions;
  const groups = header.networks.map((/** @type {Network} */ network, /** @type {number} */ g) => {
    const layers = network.name === "cosine" ? [0] : Array.from({ length: network.layers + 2 }, (_, i) => i);
    return {
      network,
      weights: layers.map((layer) => floats(`groups.${g}.weights.${layer}`)),
      biases: layers.map((layer) => floats(`groups.${g}.biases.${layer}`)),
    };
  });
  const groupOf = Int32Array.from(
    groups.length > 1 ? new Uint16Array(raw("group_of").buffer) : new Int32Array(regions),
  );
  const places = entries.boxes
    ? ofBoxes(shape, new Uint32Array(raw("boxes").buffer))
    : ofLabels(shape, inflatedLabels(raw("labels"), shape, regions), regions);
  return { ...told(header), regions, ...places, groupOf, groups, coefficients: null };
}

/** @param {Uint8Array} bytes */
function openedCompact(bytes) {
  if (hexadecimal(bytes.subarray(1, 4)) !== "494e52") throw new Damaged("this is no .inr file");
  if (bytes[4] !== 2) throw new Damaged(`the file has the format ${bytes[4]}; this page reads 1 and 2`);
  if (!equal(sha256(bytes.subarray(13)).subarray(0, 8), bytes.subarray(5, 13)))
    throw new Damaged("the checksum differs: bytes were changed or lost");
  let length, count, at;
  [length, at] = readNumber(bytes, 13);
  const json = inflate(bytes.subarray(at, at + length), MOST_HEADER, new TextEncoder().encode(BEFORE));
  const header = JSON.parse(new TextDecoder().decode(json));
  [count, at] = readNumber(bytes, at + length);
  /** @type {number[]} */
  const lengths = [];
  for (let i = 1, one; i < count; i++) ([one, at] = readNumber(bytes, at)), lengths.push(one);
  const sections = [...lengths, bytes.length].map((one) => bytes.subarray(at, (at += one)));
  if (header.coding === "spectra") return ofSpectra(header, sections[0]);
  if (header.coding === "parameters") return ofParameters(header, sections[0], sections[1]);
  throw new Damaged(`the file is coded as ${header.coding}, which this page does not know`);
}

/** @param {any} header */
function told(header) {
  const { signal, frame, blend, overlap, summary } = header;
  return { signal, frame, blend, overlap, summary };
}

/**
 * @param {any} header
 * @param {Uint8Array} section
 * @returns {Inr}
 */
function ofSpectra(header, section) {
  const { shape, channels } = header.signal, dims = shape.length;
  const spectra = codedSpectra(section, shape, channels), regions = spectra.boxes.length;
  const boxes = new Uint32Array(regions * 2 * dims), coefficients = new Float32Array(product(shape) * channels);
  spectra.boxes.forEach((box, r) => {
    const start = box.start.slice(-dims), size = box.size.slice(-dims);
    start.forEach((first, a) => {
      boxes[(2 * r) * dims + a] = first;
      boxes[(2 * r + 1) * dims + a] = first + size[a];
    });
    spread(spectra, r, shape, channels, coefficients);
  });
  const { labels } = ofBoxes(shape, boxes);
  const groupOf = new Int32Array(regions);
  return { ...told(header), overlap: 0, frame: "area", regions, labels, boxes, groupOf, groups: [], coefficients };
}

/**
 * Put the coefficients of a box where its samples are.
 * @param {import("./spectra.mjs").Spectra} spectra
 * @param {number} r
 * @param {number[]} shape
 * @param {number} channels
 * @param {Float32Array} coefficients
 */
function spread({ boxes, integers, step, mixing }, r, shape, channels, coefficients) {
  const { start, size } = boxes[r], q = integers[r], samples = product(size);
  const [, rows, columns] = [1, 1, ...shape].slice(-3);
  const factors = size.map((n) => Float64Array.from({ length: n }, (_, k) => Math.sqrt((k ? 2 : 1) / n)));
  const scaled = new Float64Array(channels);
  const kept = shape.length;
  let from = 0;
  for (let i = 0; i < size[0]; i++)
    for (let j = 0; j < size[1]; j++)
      for (let k = 0; k < size[2]; k++, from++) {
        let some = 0;
        for (let c = 0; c < channels; c++) {
          some |= q[c * samples + from];
          scaled[c] = q[c * samples + from] * step;
        }
        if (!some) continue;
        let s = 1;
        if (kept > 2) s *= factors[0][i];
        if (kept > 1) s *= factors[1][j];
        s *= factors[2][k];
        const to = (((start[0] + i) * rows + start[1] + j) * columns + start[2] + k) * channels;
        for (let e = 0; e < channels; e++) {
          let sum = 0;
          for (let c = 0; c < channels; c++) sum += scaled[c] * mixing[c * channels + e];
          coefficients[to + e] = sum * s;
        }
      }
}

/**
 * @param {any} header
 * @param {Uint8Array} section
 * @param {Uint8Array} parameters
 * @returns {Inr}
 */
function ofParameters(header, section, parameters) {
  const { signal, networks } = header, { shape, channels } = signal, dims = shape.length;
  const regions = header.partition.regions;
  const [packed, at] = readNumber(section, 0);
  const several = networks.length > 1 ? 1 : 0, columns = several + (packed ? 0 : 2 * dims);
  const groupOf = new Int32Array(regions), boxes = new Uint32Array(regions * 2 * dims);
  if (columns) {
    const integers = new Integers(section.subarray(at + packed)), line = new Float64Array(columns);
    for (let r = 0; r < regions; r++) {
      for (let c = 0; c < columns; c++) line[c] += integers.next(2 * c) * 65536 + integers.next(2 * c + 1);
      if (several) groupOf[r] = line[0];
      for (let a = 0; !packed && a < dims; a++) {
        boxes[2 * r * dims + a] = line[several + a];
        boxes[(2 * r + 1) * dims + a] = line[several + a] + line[several + dims + a];
      }
    }
    integers.finish();
  }
  const places = packed
    ? ofLabels(shape, inflatedLabels(section.subarray(at, at + packed), shape, regions), regions)
    : ofBoxes(shape, boxes);
  const samples = new Float64Array(regions);
  places.labels.forEach((r) => samples[r]++);
  const groups = codedParameters(
    parameters,
    networks.map((/** @type {Network} */ network, /** @type {number} */ g) => ({
      samples: Array.from(samples).filter((_, r) => groupOf[r] === g),
      layers: layersOf(network, dims, channels),
    })),
  ).map((layers, g) => ({ network: networks[g], ...layers }));
  return { ...told(header), regions, ...places, groupOf, groups, coefficients: null };
}

/**
 * Fan in and fan out of each layer as it is stored.
 * @param {Network} network
 * @param {number} dims
 * @param {number} channels
 * @returns {[number, number][]}
 */
export function layersOf(network, dims, channels) {
  const { name, hidden } = network;
  if (name === "cosine") return [[network.frequencies ** dims - 1, channels]];
  const features = name === "relu" ? 2 * dims * network.frequencies : name === "fourier" ? 2 * network.features : dims;
  const width = name === "wire" ? Math.max(1, Math.floor(Math.sqrt(Math.floor(hidden ** 2 / 2)))) : hidden;
  const parts = name === "wire" ? 2 : 1;
  /** @type {[number, number]} */
  const between = [width, parts * width];
  return [[features, width], ...new Array(network.layers).fill(between), [width, parts * channels]];
}

/**
 * @param {Uint8Array} packed
 * @param {number[]} shape
 * @param {number} regions
 */
function inflatedLabels(packed, shape, regions) {
  const size = regions <= 256 ? 1 : regions <= 65536 ? 2 : 4, samples = product(shape);
  const bytes = unzlib(packed, samples * size);
  if (bytes.length !== samples * size) throw new Damaged("the label map does not have as many samples as the signal");
  const steps = new [Uint8Array, Uint8Array, Uint16Array, Uint8Array, Uint32Array][size](bytes.slice().buffer);
  const row = samples / shape[0];
  for (let i = row; i < samples; i++) steps[i] += steps[i - row];
  return Int32Array.from(steps);
}

/**
 * @param {number[]} shape
 * @param {Int32Array} labels
 * @param {number} regions
 */
function ofLabels(shape, labels, regions) {
  const dims = shape.length, boxes = new Uint32Array(regions * 2 * dims);
  for (let r = 0; r < regions; r++) boxes.fill(0xffffffff, 2 * r * dims, (2 * r + 1) * dims);
  const index = new Array(dims).fill(0);
  for (let i = 0; i < labels.length; i++) {
    const first = 2 * labels[i] * dims;
    for (let a = 0; a < dims; a++) {
      if (index[a] < boxes[first + a]) boxes[first + a] = index[a];
      if (index[a] >= boxes[first + dims + a]) boxes[first + dims + a] = index[a] + 1;
    }
    for (let a = dims - 1; a >= 0 && ++index[a] === shape[a]; a--) index[a] = 0;
  }
  return { labels, boxes };
}

/**
 * @param {number[]} shape
 * @param {Uint32Array} boxes
 */
function ofBoxes(shape, boxes) {
  const dims = shape.length, labels = new Int32Array(product(shape)).fill(-1);
  const [, rows, columns] = [1, 1, ...shape].slice(-3);
  for (let r = 0; r < boxes.length / (2 * dims); r++) {
    const first = [0, 0, ...boxes.subarray(2 * r * dims, (2 * r + 1) * dims)].slice(-3);
    const last = [1, 1, ...boxes.subarray((2 * r + 1) * dims, (2 * r + 2) * dims)].slice(-3);
    for (let i = first[0]; i < last[0]; i++)
      for (let j = first[1]; j < last[1]; j++) {
        const row = (i * rows + j) * columns;
        labels.fill(r, row + first[2], row + last[2]);
      }
  }
  if (labels.includes(-1)) throw new Damaged("the regions do not cover the signal");
  return { labels, boxes };
}
