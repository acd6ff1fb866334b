// Values between samples that are known: the nearest, lines or cubics through them, or their means where pixels are larger.
import { listOf } from "./axes.mjs";
import { MAIN, Program, Texture } from "./gl.mjs";

/** @typedef {"nearest" | "linear" | "cubic" | "mean"} Way */

/** @type {{[way: string]: string}} what makes a value of the entries of an axis each */
const WAYS = {
  nearest: "return at(int(row.y + step(0.5, row.z)), int(column.y + step(0.5, column.z)));",
  linear: `
    vec4 above = mix(at(int(row.y), int(column.y)), at(int(row.y), int(column.y) + 1), column.z);
    return mix(above, mix(at(int(row.y) + 1, int(column.y)), at(int(row.y) + 1, int(column.y) + 1), column.z), row.z);`,
  // Keys, "Cubic convolution interpolation for digital image processing", 1981.
  cubic: `
    vec4 a = weights(row.z), b = weights(column.z), sum = vec4(0);
    for (int i = 0; i < 4; i++)
      for (int j = 0; j < 4; j++) sum += a[i] * b[j] * at(int(row.y) + i - 1, int(column.y) + j - 1);
    return sum;`,
  mean: `
    vec4 sum = vec4(0);
    for (int i = 0; i < int(row.y); i++)
      for (int j = 0; j < int(column.y); j++)
        sum += (i == 0 ? row.z : i == int(row.y) - 1 ? row.w : 1.0) * (j == 0 ? column.z : j == int(column.y) - 1 ? column.w : 1.0)
          * at(int(row.x) + i, int(column.x) + j);
    return sum * scale;`,
};

/** @param {string} way */
function samplesShader(way) {
  return `
uniform sampler2D axes, samples;
uniform int columns;
uniform float scale;
out vec4 values;
vec4 at(int row, int column) {
  return texelFetch(samples, clamp(ivec2(column, row), ivec2(0), textureSize(samples, 0) - 1), 0);
}
vec4 weights(float t) {
  vec4 d = vec4(1.0 + t, t, 1.0 - t, 2.0 - t);
  vec4 near = (1.5 * d - 2.5) * d * d + 1.0, far = ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0;
  return vec4(far.x, near.yz, far.w);
}
vec4 between(vec4 row, vec4 column) {
  ${WAYS[way]}
}
${MAIN}
  values = between(entry(axes, columns + pixel.y), entry(axes, pixel.x));
}`;
}

export class Samples {
  /** @param {import("./gl.mjs").GL} gl */
  constructor(gl) {
    this.gl = gl;
    /** @type {Map<Way, Program>} */
    this.programs = new Map();
    this.axes = new Texture(gl);
  }

  /**
   * Normalised values at the pixels of some rows of a target.
   * @param {import("./gl.mjs").Target} target
   * @param {Texture} samples
   * @param {Way} way
   * @param {import("./function.mjs").Span} rows
   * @param {import("./function.mjs").Span} columns
   * @param {[import("./axes.mjs").Axis, import("./axes.mjs").Axis]} lattice the same, between samples that blend
   */
  draw(target, samples, way, rows, columns, lattice) {
    const program = this.programs.get(way) ?? new Program(this.gl, samplesShader(way));
    this.programs.set(way, program);
    const mean = way === "mean";
    const list = mean ? [...meansOf(columns), ...meansOf(rows)] : listOf(lattice[1], lattice[0]);
    this.axes.list(Float32Array.from(list));
    const scale = ((rows.size / (rows.stop - rows.start)) * columns.size) / (columns.stop - columns.start);
    program.draw(target, { axes: this.axes, samples, columns: [columns.size], scale });
  }
}

/**
 * The samples that each pixel covers: the first, how many, and the parts that it has of the first and the last.
 * @param {import("./function.mjs").Span} span
 */
function* meansOf({ start, stop, size }) {
  for (let k = 0; k < size; k++) {
    const from = start + (k * (stop - start)) / size, to = start + ((k + 1) * (stop - start)) / size;
    const first = Math.floor(from + 1e-9), last = Math.max(first, Math.ceil(to - 1e-9) - 1);
    yield* [first, last - first + 1, Math.min(first + 1, to) - from, to - last];
  }
}
