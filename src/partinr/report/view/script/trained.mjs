// Files of networks with parameters of their own: tensors as they are (version 1), or coded.
import { broken, readNumber, sha256, unzlib } from "./bytes.mjs";
import { MOST_HEADER, ofBoxes, product, told } from "./header.mjs";
import { Integers, codedParameters } from "./parameters.mjs";

/**
 * @typedef {import("./header.mjs").Inr} Inr
 * @typedef {import("./header.mjs").Network} Network
 */

/** @param {Uint8Array} bytes */
export async function openedPlain(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = view.getUint32(0, true), start = 8 + length;
  if (view.getUint32(4, true) || length > MOST_HEADER || start > bytes.length) broken("this is no .inr file");
  const text = new TextDecoder("latin1").decode(bytes.subarray(8, start));
  const entries = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  const header = JSON.parse(entries.__metadata__.partinr);
  if (header.format !== 1) broken(`the file has the format ${header.format}; this page reads 1 and 2`);
  const digits = 8 + text.indexOf(header.sha256);
  const zeros = new TextEncoder().encode("0".repeat(64));
  const sum = sha256(bytes.subarray(0, digits), zeros, bytes.subarray(digits + 64));
  if (digits < 8 || sum !== header.sha256) broken("the checksum differs: bytes were changed or lost");
  if (header.kind === "start") broken("this is a learned start, not a fit");

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
    : ofLabels(shape, await inflatedLabels(raw("labels"), shape, regions), regions);
  return { ...told(header), regions, ...places, groupOf, groups, coefficients: null, samples: null };
}

/**
 * Numbers of half precision as such of single precision.
 * @param {Uint16Array} halves
 */
function fromHalves(halves) {
  return Float32Array.from(halves, (half) => {
    const exponent = (half >> 10) & 31, fraction = half & 1023;
    const size = exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24;
    return half & 0x8000 ? -size : size;
  });
}

/**
 * @param {any} header
 * @param {Uint8Array} section
 * @param {Uint8Array} parameters
 * @returns {Promise<Inr>}
 */
export async function ofParameters(header, section, parameters) {
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
    ? ofLabels(shape, await inflatedLabels(section.subarray(at, at + packed), shape, regions), regions)
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
  return { ...told(header), regions, ...places, groupOf, groups, coefficients: null, samples: null };
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
async function inflatedLabels(packed, shape, regions) {
  const size = regions <= 256 ? 1 : regions <= 65536 ? 2 : 4, samples = product(shape);
  const bytes = await unzlib(packed, samples * size);
  if (bytes.length !== samples * size) broken("the label map does not have as many samples as the signal");
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
