// What several modules ask of numbers.

/**
 * @param {number} x
 * @param {number} low
 * @param {number} high
 */
export function clamp(x, low, high) {
  return Math.min(Math.max(x, low), high);
}

/**
 * Samples along three axes: a picture is the only plane of a volume, a line the only row of a picture.
 * @param {number[]} shape
 * @returns {number[]}
 */
export function sides(shape) {
  return [1, 1, ...shape].slice(-3);
}
