// Where pixels lie along an axis, and between which samples (docs/format.md, "Coordinates").

// Where a position is this near to a sample, it is there: single precision cannot tell.
const AT_SAMPLE = 0.001;

/**
 * @typedef {object} Axis pixels along one axis
 * @property {number} size how many
 * @property {number} start where the first one begins, in samples
 * @property {number} step their length
 * @property {Float32Array} coords their middles, -1 to 1 from the first sample to the last
 * @property {Int32Array} cells the sample before each
 * @property {Float32Array} shares how far each is on the way to the next sample, 0 to 1
 */

/**
 * @param {number} samples of the signal
 * @param {number} size pixels
 * @param {number} start where the first pixel begins, in samples
 * @param {number} stop where the last pixel ends
 * @param {boolean} blend whether values blend between samples; otherwise the nearest one decides
 * @returns {Axis}
 */
export function pixelsAlong(samples, size, start, stop, blend) {
  const coords = new Float32Array(size), cells = new Int32Array(size), shares = new Float32Array(size);
  const own = start === 0 && stop === samples && size === samples, apart = Math.fround(2 / Math.fround(samples - 1));
  const half = Math.fround((samples - 1) / 2);
  for (let k = 0; k < size && samples > 1; k++) {
    if (own) coords[k] = k < samples >> 1 ? -1 + apart * k : 1 - apart * (samples - 1 - k);
    else coords[k] = (start + (k + 0.5) * ((stop - start) / size) - 0.5) * (2 / (samples - 1)) - 1;
    const t = Math.min(Math.max(Math.fround(Math.fround(coords[k] + 1) * half), 0), samples - 1);
    let cell = Math.floor(t), share = t - cell;
    if (!blend) {
      cell += share > 0.5 || (share === 0.5 && cell % 2) ? 1 : 0;
      share = 0;
    } else if (share <= AT_SAMPLE) share = 0;
    else if (share >= 1 - AT_SAMPLE) (cell += 1), (share = 0);
    cells[k] = cell;
    shares[k] = share;
  }
  return { size, start, step: (stop - start) / size, coords, cells, shares };
}

/**
 * Pixels along axes as shaders read them: four numbers each.
 * @param {...Axis} axes
 */
export function listOf(...axes) {
  const total = axes.reduce((sum, axis) => sum + axis.size, 0), numbers = new Float32Array(4 * total);
  let at = 0;
  for (const { size, coords, cells, shares } of axes)
    for (let i = 0; i < size; i++, at += 4) {
      numbers[at] = coords[i];
      numbers[at + 1] = cells[i];
      numbers[at + 2] = shares[i];
    }
  return numbers;
}
