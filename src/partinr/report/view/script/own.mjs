// What functions of regions' own coordinates are made of.

/** GLSL: the sine of a number of turns is that of single precision on every machine; some have half of it. */
export const SINES = `
float sineTurns(float t) {
  t -= floor(t + 0.5);
  if (abs(t) > 0.25) t = (t < 0.0 ? -0.5 : 0.5) - t;
  float x = t * 6.283185307179586, y = x * x;
  return x * (1.0 + y * (-1.0 / 6.0 + y * (1.0 / 120.0 + y * (-1.0 / 5040.0 + y * (1.0 / 362880.0 - y * (1.0 / 39916800.0))))));
}
`;

/**
 * Scale and shift that take coordinates to a region's own.
 * @param {import("./header.mjs").Inr} inr
 * @param {number} region
 * @param {number} a axis
 * @returns {[number, number]}
 */
export function ownFrame({ signal, frame, overlap, boxes }, region, a) {
  if (frame === "global") return [1, 0];
  const dims = signal.shape.length, n = signal.shape[a];
  const first = Math.max(boxes[2 * region * dims + a] - overlap, 0);
  const last = Math.min(boxes[(2 * region + 1) * dims + a] - 1 + overlap, n - 1);
  const side = last - first + 1;
  if (side === 1) return [0, 0];
  if (frame === "area") return [Math.fround((n - 1) / side), Math.fround((n - 2 * first - side) / side)];
  const from = first * (2 / (n - 1)) - 1, to = last * (2 / (n - 1)) - 1, scale = 2 / (to - from);
  return [Math.fround(scale), Math.fround(-1 - from * scale)];
}
