// A picture, or a plane of a volume, on a canvas: values are computed coarsely at once and then exactly, part by part.
import { Program, Target, Texture } from "./gl.mjs";
import { ShownFunction } from "./function.mjs";
import { isColoured } from "./header.mjs";
import { sides } from "./numbers.mjs";
import { Samples } from "./samples.mjs";
import { LARGER } from "./volume.mjs";

/**
 * @typedef {import("./header.mjs").Inr} Inr
 * @typedef {import("./function.mjs").Span} Span
 *
 * @typedef {object} View what is shown, and how
 * @property {number} x column of the signal in the middle of the canvas, in samples
 * @property {number} y row
 * @property {number} zoom pixels a sample
 * @property {number} plane of a volume, from 0; -1 for the maximum over all planes
 * @property {number} channel the only one that is shown; -1 for colours
 * @property {"values" | "gradient" | "laplacian"} show
 * @property {"" | "nearest" | "linear" | "cubic" | "original"} beside what is right of the split
 * @property {number} split where, from 0 to 1
 * @property {boolean} regions whether their borders are drawn
 * @property {[number, number]} levels normalised values that are darkest and brightest
 */

// Milliseconds that a frame may take while something moves.
const PATIENCE = 40;

/**
 * What makes colours of values; each way of showing has a program of its own, so that a plain one costs little.
 * @param {View["show"]} show
 * @param {boolean} beside whether something else is right of the split
 * @param {boolean} regions
 */
function screenShader(show, beside, regions) {
  return `
uniform sampler2D left, right;
uniform usampler2D labels;
uniform vec4 area;
uniform vec2 levels, origin, signal, part;
uniform float split, zoom, coarse, difference;
uniform int channel, channels, image;
out vec4 colour;
bool second = false;
vec4 at(ivec2 pixel) {
  ${beside ? "if (second) return texelFetch(right, clamp(pixel, ivec2(0), textureSize(right, 0) - 1), 0);" : ""}
  return texelFetch(left, clamp(ivec2(vec2(pixel) / coarse), ivec2(0), ivec2(part) - 1), 0);
}
int labelAt(vec2 pixel) {
  ivec2 sample_ = ivec2(clamp(floor((pixel - origin) / zoom), vec2(0), signal - 1.0));
  return int(texelFetch(labels, place(sample_.y * int(signal.x) + sample_.x), 0).x);
}
void main() {
  vec2 canvas = vec2(gl_FragCoord.x, area.y + area.w - gl_FragCoord.y);
  ivec2 pixel = ivec2(canvas - area.xy);
  ${beside ? "second = canvas.x > split;" : ""}
  vec4 v = at(pixel);
  ${SHOWN[show]}
  ${
    regions
      ? `int here = labelAt(canvas);
  if (labelAt(canvas + vec2(1, 0)) != here || labelAt(canvas + vec2(0, 1)) != here) colour.rgb = mix(colour.rgb, vec3(1, 0.8, 0), 0.8);`
      : ""
  }
}`;
}

const DIFFERENCES = `
  int d = int(max(difference, second ? 1.0 : coarse));
  vec4 e = at(pixel + ivec2(d, 0)), w = at(pixel - ivec2(d, 0)), n = at(pixel - ivec2(0, d)), s = at(pixel + ivec2(0, d));
  float h = float(d) / zoom, range = levels.y - levels.x;
  vec4 pick = channel >= 0 ? vec4(equal(ivec4(channel), ivec4(0, 1, 2, 3))) : channels < 3 ? vec4(1, 0, 0, 0) : vec4(1, 1, 1, 0) / 3.0;`;

/** @type {{[show: string]: string}} */
const SHOWN = {
  values: `
  vec4 level = (v - levels.x) / (levels.y - levels.x);
  colour = vec4(clamp(channel >= 0 ? vec3(level[channel]) : channels < 3 ? level.xxx : level.xyz, 0.0, 1.0), 1);
  if (image > 0 && channel < 0) {
    ivec2 square = ivec2(canvas) / 8;
    colour.rgb = mix(vec3((square.x + square.y) % 2 == 0 ? 0.75 : 0.9), colour.rgb, clamp(v[image], 0.0, 1.0));
  }`,
  gradient: `${DIFFERENCES}
  vec4 x = (e - w) / (2.0 * h), y = (s - n) / (2.0 * h);
  colour = vec4(vec3(4.0 / range * sqrt(dot(pick, x * x + y * y))), 1);`,
  laplacian: `${DIFFERENCES}
  float l = 2.0 / range * dot(pick, e + w + n + s - 4.0 * v) / (h * h);
  colour = vec4(mix(vec3(0.97), l > 0.0 ? vec3(0.7, 0.05, 0.1) : vec3(0.05, 0.2, 0.65), min(abs(l), 1.0)), 1);`,
};

export class Picture {
  /** @type {ShownFunction} */ function;
  /** @type {Samples} */ samples;
  /** @type {Map<string, Program>} */ screens;
  /** @type {Program | null} */ larger;
  /** @type {Target} values that are shown, and where they are computed */ coarse;
  /** @type {Target} where exact ones are computed part by part */ fine;
  /** @type {Target} what is right of the split */ right;
  /** @type {Target} at the samples */ own;
  /** @type {Target} */ spare;
  /** @type {number | null} rows of `fine` that are there */ partly = null;
  moved = false;
  /** @type {Generator<void>} what fills `own` */ holding;
  /** @type {Texture} regions of the samples */ labels;
  /** @type {Texture} the original's values */ pixels;
  /** What `own`, `pixels` and `labels` are of. */ held = { own: "", pixels: "", labels: -1 };
  /** @type {{target: Target, coarse: number}} what is shown, and pixels of the canvas along each axis to a value of it */ front;
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Inr} inr
   * @param {View} view what is shown first
   * @param {Float32Array | null} original normalised values of the signal, as the function's are
   * @param {() => void} shown called after something was drawn
   * @throws {Error} this browser cannot draw it; says why
   */
  constructor(canvas, inr, view, original, shown) {
    const options = { alpha: true, antialias: false, depth: false };
    const gl = /** @type {import("./gl.mjs").GL | null} */ (canvas.getContext("webgl2", options));
    if (!gl) throw new Error("this browser has no WebGL 2");
    this.canvas = canvas;
    this.gl = gl;
    this.inr = inr;
    this.view = view;
    this.original = original;
    this.shown = shown;
    /** Milliseconds that a pixel takes; 0 while nobody knows. */
    this.cost = 0;
    this.frames = 0;
    this.asked = 0;
    canvas.addEventListener("webglcontextlost", (event) => (event.preventDefault(), cancelAnimationFrame(this.asked)));
    canvas.addEventListener("webglcontextrestored", () => (this.prepare(), this.show(this.view)));
    this.prepare();
  }

  prepare() {
    const { gl } = this;
    if (!gl.getExtension("EXT_color_buffer_float")) throw new Error("this browser cannot draw floating point");
    const [, rows, columns] = sides(this.inr.signal.shape), most = gl.getParameter(gl.MAX_TEXTURE_SIZE);
    if (Math.max(rows, columns) > most) throw new Error(`this browser draws at most ${most} samples along an axis`);
    this.function = new ShownFunction(gl, this.inr);
    this.samples = new Samples(gl);
    this.screens = new Map();
    this.larger = null;
    for (const name of /** @type {const} */ (["coarse", "fine", "right", "own", "spare"])) this[name] = new Target(gl);
    this.labels = new Texture(gl);
    this.pixels = new Texture(gl);
    this.held = { own: "", pixels: "", labels: -1 };
    this.front = { target: this.coarse, coarse: 1 };
  }

  /** @param {View} view */
  show(view) {
    this.view = view;
    this.moved = true;
    this.ask();
  }

  ask() {
    cancelAnimationFrame(this.asked);
    this.asked = requestAnimationFrame(() => this.frame());
  }

  /** The part of the canvas that the picture covers, and what of the signal is there. */
  get area() {
    const { canvas, function: { rows, columns } } = this, { x, y, zoom } = this.view;
    /** @type {(middle: number, length: number, samples: number) => {origin: number, first: number, span: Span}} */
    const along = (middle, length, samples) => {
      const origin = Math.round(length / 2 - middle * zoom);
      const first = Math.max(0, origin), last = Math.max(first + 1, Math.min(length, origin + Math.round(samples * zoom)));
      const span = { start: (first - origin) / zoom, stop: (last - origin) / zoom, size: last - first };
      return { origin, first, span: span.size >= samples * zoom - 1 ? { ...span, start: 0, stop: samples } : span };
    };
    return { across: along(x, canvas.width, columns), down: along(y, canvas.height, rows) };
  }

  /** Four channels of which some are shown. */
  get block() {
    return Math.max(0, this.view.channel) >> 2;
  }

  frame() {
    const { gl, view } = this;
    if (gl.isContextLost()) return;
    const { across, down } = this.area, pixels = across.span.size * down.span.size;
    if (this.moved) {
      this.partly = null;
      const reduced = view.plane < 0 || (view.zoom < 1 && !this.function.smooth);
      if (!reduced) this.learn();
      const all = pixels * this.cost, coarse = reduced || all < PATIENCE ? 1 : Math.min(8, Math.ceil(Math.sqrt(all / PATIENCE)));
      if ((reduced || (view.beside && view.beside !== "original")) && !this.hold()) return this.ask();
      if (reduced) this.interpolate(this.coarse, this.own, view.zoom < 1 ? "mean" : "cubic");
      else this.compute(this.coarse, coarse, 0, Math.ceil(down.span.size / coarse));
      this.moved = false;
      this.front = { target: this.coarse, coarse };
      if (coarse > 1) this.partly = 0;
      if (view.beside) this.compare();
    } else if (this.partly !== null) {
      const count = Math.min(down.span.size - this.partly, Math.max(8, Math.floor(PATIENCE / 2 / (this.cost * across.span.size))));
      this.compute(this.fine, 1, this.partly, count);
      this.partly += count;
      if (this.partly < down.span.size) return this.ask();
      [this.coarse, this.fine] = [this.fine, this.coarse];
      this.front = { target: this.coarse, coarse: 1 };
      this.partly = null;
    } else {
      const { evaluator } = this.function, until = performance.now() + PATIENCE;
      while (evaluator.waiting?.length && performance.now() < until) evaluator.refine?.(this.front.target);
    }
    this.paint();
    this.frames++;
    this.shown();
    if (!this.settled) this.ask();
  }

  /** Whether what is shown is exact. */
  get settled() {
    return !this.moved && this.partly === null && !this.function.evaluator.waiting?.length;
  }

  /** Find out what a pixel costs, of some rows; of a single one first, before which the shader is made ready. */
  learn() {
    if (this.cost) return;
    for (const rows of [1, Math.min(8, this.area.down.span.size)]) this.compute(this.fine, 1, 0, rows);
  }

  /**
   * Values at some rows of pixels, and how long that takes.
   * @param {Target} target
   * @param {number} coarse pixels of the canvas a value
   * @param {number} first
   * @param {number} count
   */
  compute(target, coarse, first, count) {
    const { across, down } = this.area;
    this.function.enter(Math.max(0, this.view.plane), this.block);
    /** @type {(span: Span) => Span} */
    const wider = ({ start, size }) => {
      const own = Math.ceil(size / coarse);
      return { start, stop: start + (own * coarse) / this.view.zoom, size: own };
    };
    const [rows, columns] = coarse > 1 ? [wider(down.span), wider(across.span)] : [down.span, across.span];
    const began = performance.now();
    target.resize(columns.size, rows.size);
    this.function.evaluator.draw(target, ...this.function.lattice(rows, columns), first, count);
    target.read(0, first, 1, 1);
    const cost = (performance.now() - began) / (columns.size * count);
    if (count > 1) this.cost = this.cost ? 0.5 * (this.cost + cost) : cost;
  }

  /**
   * See that `own` holds the function's values at the samples, or their maximum over all planes; for as long as a frame
   * may take.
   * @returns {boolean} whether it does
   */
  hold() {
    const what = `${this.view.plane} ${this.block}`, until = performance.now() + PATIENCE;
    if (this.held.own !== what) this.holding = this.heldRows();
    this.held.own = what;
    while (!this.holding.next().done) if (performance.now() > until) return false;
    return true;
  }

  /** Fills `own` some rows at a time. */
  *heldRows() {
    const { view: { plane }, block, spare, function: shown } = this, { rows, columns } = shown;
    const lattice = shown.lattice({ start: 0, stop: rows, size: rows }, { start: 0, stop: columns, size: columns });
    for (const target of [this.own, spare, this.right]) target.resize(columns, rows);
    const each = Math.ceil(2 ** 18 / columns);
    for (let p = Math.max(0, plane); p < (plane < 0 ? shown.planes : plane + 1); p++) {
      for (let row = 0; row < rows; row += each) {
        shown.enter(p, block);
        const target = plane < 0 && p > 0 ? spare : this.own;
        shown.evaluator.draw(target, ...lattice, row, Math.min(each, rows - row));
        target.read(0, row, 1, 1);
        yield;
      }
      if (plane >= 0 || p === 0) continue;
      this.larger ??= new Program(this.gl, LARGER);
      this.larger.draw(this.right, { one: this.own, other: spare });
      [this.own, this.right] = [this.right, this.own];
    }
  }

  /**
   * @param {Target} target
   * @param {Texture} samples
   * @param {import("./samples.mjs").Way} way
   */
  interpolate(target, samples, way) {
    const { across, down } = this.area, rows = down.span, columns = across.span;
    target.resize(columns.size, rows.size);
    const lattice = this.function.lattice(rows, columns, true);
    this.samples.draw(target, samples, way, rows, columns, lattice);
  }

  /** What is right of the split. */
  compare() {
    const { view } = this, { rows, columns } = this.function, { channels } = this.inr.signal;
    if (view.beside === "original" && this.original) {
      const plane = Math.max(0, Math.round(view.plane)), what = `${plane} ${this.block}`, first = 4 * this.block;
      if (this.held.pixels !== what) {
        const numbers = new Float32Array(4 * rows * columns);
        for (let i = 0, from = plane * rows * columns * channels + first; i < rows * columns; i++, from += channels)
          for (let c = 0; c < Math.min(4, channels - first); c++) numbers[4 * i + c] = this.original[from + c];
        this.pixels.fill(columns, rows, numbers);
        this.held.pixels = what;
      }
      return this.interpolate(this.right, this.pixels, view.zoom < 1 ? "mean" : "nearest");
    }
    this.interpolate(this.right, this.own, view.zoom < 1 ? "mean" : /** @type {any} */ (view.beside));
  }

  paint() {
    const { gl, view, canvas, inr, front } = this, { across, down } = this.area, { rows, columns } = this.function;
    const plane = Math.max(0, Math.round(view.plane));
    if (view.regions && this.held.labels !== plane) {
      this.labels.list(Uint32Array.from(inr.labels.subarray(plane * rows * columns, (plane + 1) * rows * columns)));
      this.held.labels = plane;
    }
    const { show, beside, regions, zoom } = view, key = `${show} ${!!beside} ${regions}`;
    const screen = this.screens.get(key) ?? new Program(gl, screenShader(show, !!beside, regions));
    this.screens.set(key, screen);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.clear(gl.COLOR_BUFFER_BIT);
    const { channels } = inr.signal, width = across.span.size, height = down.span.size, under = canvas.height - down.first - height;
    screen.draw(
      null,
      {
        left: front.target,
        right: this.right,
        labels: this.labels,
        area: [across.first, down.first, under, height + under],
        part: [front.target.width, front.target.height],
        levels: view.levels,
        origin: [across.origin, down.origin],
        signal: [columns, rows],
        split: Math.round(view.split * canvas.width),
        zoom,
        coarse: front.coarse,
        difference: Math.max(1, Math.ceil(zoom / 8)),
        channel: [view.channel < 0 ? -1 : view.channel & 3],
        channels: [channels],
        image: [isColoured(inr.signal) && channels % 2 === 0 ? channels - 1 : 0],
      },
      [across.first, under, width, height],
    );
  }

  /**
   * Where a pixel of the canvas is in the signal, and normalised values there; null outside of it.
   * @param {number} x
   * @param {number} y
   */
  at(x, y) {
    const { across, down } = this.area, { target, coarse } = this.front, { zoom } = this.view;
    const i = x - across.first, j = y - down.first;
    if (i < 0 || j < 0 || i >= across.span.size || j >= down.span.size || this.gl.isContextLost()) return null;
    const values = target.read(Math.floor(i / coarse), Math.floor(j / coarse), 1, 1);
    return { column: (x + 0.5 - across.origin) / zoom, row: (y + 0.5 - down.origin) / zoom, values };
  }

  /** Least and greatest of the values that are shown. */
  extremes() {
    const { target } = this.front, { channel } = this.view;
    const numbers = target.read(0, 0, target.width, target.height), shown = Math.min(3, this.inr.signal.channels);
    let least = Infinity, most = -Infinity;
    for (let i = 0; i < numbers.length; i++) {
      if (channel < 0 ? i % 4 >= shown : i % 4 !== (channel & 3)) continue;
      least = Math.min(least, numbers[i]);
      most = Math.max(most, numbers[i]);
    }
    return [least, most];
  }
}
