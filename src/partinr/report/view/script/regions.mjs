// Which regions make up the value at a point (docs/format.md, "Regions of a point"). Between samples a region's weight is
// linear along each axis, so its weights at the samples around a point say all: at a sample, a region's weight is the
// share of the window around it that the region holds.
import { clamp, sides } from "./numbers.mjs";

/**
 * @typedef {object} Cells of a plane of the signal, one cell between every four samples
 * @property {Uint32Array} cells of each sample, with those after it: its region; or, with the highest bit, where pairs begin
 * @property {Float32Array} pairs of four numbers: a count, and for each region two: its number, and its weights at
 *   the sample, the next along the last axis, and these two along the other axis
 */

/**
 * @param {import("./header.mjs").Inr} inr
 * @param {number} plane the plane before
 * @param {number} share how far on the way to the next plane
 * @returns {Cells}
 */
export function cellsOf({ signal, labels, blend, overlap, regions }, plane, share) {
  const [planes, rows, columns] = sides(signal.shape);
  const cells = new Uint32Array(rows * columns);
  if (!blend) {
    cells.set(labels.subarray(plane * rows * columns, (plane + 1) * rows * columns));
    return { cells, pairs: new Float32Array(0) };
  }
  // Along planes, the window of a point between two of them is the mean of their windows.
  /** @type {Map<number, number>} */
  const weights = new Map();
  const windows = signal.shape.length < 3 ? [[0, 1]] : [[plane, 1 - share], [plane + 1, share]];
  for (const [middle, weight] of windows)
    for (let p = middle - overlap; weight > 0 && p <= middle + overlap && signal.shape.length === 3; p++) {
      const inside = clamp(p, 0, planes - 1);
      weights.set(inside, (weights.get(inside) ?? 0) + weight);
    }
  if (signal.shape.length < 3) weights.set(0, 1);
  // Samples that count for nothing along axes that are not there.
  const across = signal.shape.length > 1 ? overlap : 0;
  const whole = (2 * overlap + 1) ** signal.shape.length;

  const sums = new Float64Array(regions);
  /** @type {Set<number>} */
  const active = new Set();
  /** @type {(row: number, column: number, sign: number) => void} */
  const count = (row, column, sign) => {
    for (const [p, weight] of weights)
      for (let i = row - across; i <= row + across; i++) {
        const region = labels[(p * rows + clamp(i, 0, rows - 1)) * columns + clamp(column, 0, columns - 1)];
        sums[region] += sign * weight;
        if (sign > 0) active.add(region);
        else if (sums[region] < 1e-6) sums[region] = 0, active.delete(region);
      }
  };
  // Of each sample, where its list of regions and weights begins and ends.
  const starts = new Uint32Array(rows * columns + 1);
  /** @type {number[]} */
  const lists = [];
  for (let i = 0; i < rows; i++) {
    sums.fill(0);
    active.clear();
    for (let j = -overlap; j <= overlap; j++) count(i, j, 1);
    for (let j = 0; j < columns; j++) {
      for (const region of active) lists.push(region, sums[region] / whole);
      starts[i * columns + j + 1] = lists.length;
      count(i, j - overlap, -1);
      count(i, j + overlap + 1, 1);
    }
  }
  /** @type {number[]} */
  const pairs = [];
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const down = clamp(i + 1, 0, rows - 1), next = clamp(j + 1, 0, columns - 1);
      const corners = [i * columns + j, i * columns + next, down * columns + j, down * columns + next];
      const region = lists[starts[corners[0]]];
      if (corners.every((at) => starts[at + 1] - starts[at] === 2 && lists[starts[at]] === region)) {
        cells[corners[0]] = region;
        continue;
      }
      /** @type {Map<number, number[]>} */
      const found = new Map();
      corners.forEach((at, corner) => {
        for (let k = starts[at]; k < starts[at + 1]; k += 2) {
          const own = found.get(lists[k]) ?? [0, 0, 0, 0];
          own[corner] = lists[k + 1];
          found.set(lists[k], own);
        }
      });
      cells[corners[0]] = 0x80000000 + pairs.length / 4;
      pairs.push(found.size, 0, 0, 0);
      for (const [own, at] of found) pairs.push(own, 0, 0, 0, ...at);
    }
  return { cells, pairs: Float32Array.from(pairs) };
}
