// Files of coded cosines: their coefficients, each where the samples of its box are.
import { ofBoxes, product, told } from "./header.mjs";
import { sides } from "./numbers.mjs";
import { codedSpectra } from "./spectra.mjs";
import { synthesised } from "./synthesis.mjs";

/**
 * @param {any} header
 * @param {Uint8Array} section
 * @returns {import("./header.mjs").Inr}
 */
export function ofSpectra(header, section) {
  const { shape, channels } = header.signal, dims = shape.length;
  const spectra = codedSpectra(section, shape, channels), regions = spectra.boxes.length;
  const boxes = new Uint32Array(regions * 2 * dims), coefficients = new Float32Array(product(shape) * channels);
  const smooth = (header.signal.between ?? "none") !== "none";
  spectra.boxes.forEach((box, r) => {
    const start = box.start.slice(-dims), size = box.size.slice(-dims);
    start.forEach((first, a) => {
      boxes[(2 * r) * dims + a] = first;
      boxes[(2 * r + 1) * dims + a] = first + size[a];
    });
    spread(spectra, r, shape, channels, coefficients);
  });
  const { labels } = ofBoxes(shape, boxes);
  const samples = smooth ? synthesised(spread, spectra, shape, channels) : null;
  const groupOf = new Int32Array(regions);
  return { ...told(header), overlap: 0, frame: "area", regions, labels, boxes, groupOf, groups: [], coefficients, samples };
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
  const [, rows, columns] = sides(shape);
  const factors = size.map((n) => Float64Array.from({ length: n }, (_, k) => Math.sqrt((k ? 2 : 1) / n)));
  const scaled = new Float64Array(channels);
  let from = 0;
  for (let i = 0; i < size[0]; i++)
    for (let j = 0; j < size[1]; j++)
      for (let k = 0; k < size[2]; k++, from++) {
        let some = 0;
        for (let c = 0; c < channels; c++) some |= q[c * samples + from];
        if (!some) continue;
        for (let c = 0; c < channels; c++) scaled[c] = q[c * samples + from] * step;
        const s = factors[0][i] * factors[1][j] * factors[2][k]; // 1 along axes that the signal has not
        const to = (((start[0] + i) * rows + start[1] + j) * columns + start[2] + k) * channels;
        for (let e = 0; e < channels; e++) {
          let sum = 0;
          for (let c = 0; c < channels; c++) sum += scaled[c] * mixing[c * channels + e];
          coefficients[to + e] = sum * s;
        }
      }
}
