// A signal of one axis as a curve, and as sound.
import { ShownFunction } from "./function.mjs";
import { clamp } from "./numbers.mjs";

/**
 * @typedef {import("./header.mjs").Inr} Inr
 * @typedef {import("./picture.mjs").View} View
 */

const COLOURS = ["#3b7ddd", "#d9622b", "#2a9d5c", "#9b59b6"];
// Points that are evaluated at once.
const BLOCK = 1 << 18;

export class Curve {
  /** @type {ShownFunction} */ function;
  /** Values at all samples, of each channel. @type {Map<number, Float32Array>} */ known;
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Inr} inr
   * @param {View} view what is shown first
   * @param {Float32Array | null} original
   * @param {() => void} shown
   */
  constructor(canvas, inr, view, original, shown) {
    this.canvas = canvas;
    this.inr = inr;
    this.original = original;
    this.shown = shown;
    this.pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    this.card = document.createElement("canvas");
    const gl = /** @type {import("./gl.mjs").GL | null} */ (this.card.getContext("webgl2"));
    if (!gl) throw new Error("this browser has no WebGL 2");
    this.gl = gl;
    this.card.addEventListener("webglcontextlost", (event) => event.preventDefault());
    this.card.addEventListener("webglcontextrestored", () => (this.prepare(), this.show(this.view)));
    this.prepare();
    this.frames = 0;
    this.asked = 0;
    this.view = view;
  }

  prepare() {
    if (!this.gl.getExtension("EXT_color_buffer_float")) throw new Error("this browser cannot draw floating point");
    this.function = new ShownFunction(this.gl, this.inr);
    this.known = new Map();
  }

  get samples() {
    return this.inr.signal.shape[0];
  }

  /** Channels that are drawn. */
  get channels() {
    const { channel } = this.view;
    return channel >= 0 ? [channel] : Array.from({ length: Math.min(4, this.inr.signal.channels) }, (_, c) => c);
  }

  get settled() {
    return !this.moved;
  }

  /** @param {View} view */
  show(view) {
    this.view = view;
    this.moved = true;
    cancelAnimationFrame(this.asked);
    this.asked = requestAnimationFrame(() => this.frame());
  }

  /** First and last position that is shown, in samples. */
  get span() {
    const half = this.canvas.width / 2 / this.view.zoom;
    return [this.view.x - half, this.view.x + half];
  }

  /**
   * Values of a channel at all samples.
   * @param {number} channel
   */
  atSamples(channel) {
    const known = this.known.get(channel);
    if (known) return known;
    const found = new Float32Array(this.samples);
    for (let first = 0; first < this.samples; first += BLOCK)
      found.set(this.values(channel, first, Math.min(first + BLOCK, this.samples), 1), first);
    this.known.set(channel, found);
    return found;
  }

  /**
   * Values of a channel at so many points a sample.
   * @param {number} channel
   * @param {number} start
   * @param {number} stop
   * @param {number} each
   */
  values(channel, start, stop, each) {
    const size = Math.max(1, Math.round((stop - start) * each));
    this.function.enter(0, channel >> 2);
    const found = this.function.values({ start: 0, stop: 1, size: 1 }, { start, stop, size });
    return Float32Array.from({ length: size }, (_, i) => found[4 * i + (channel & 3)]);
  }

  frame() {
    if (this.gl.isContextLost()) return;
    const { pen, canvas, view, samples } = this, { width, height } = canvas, [from, to] = this.span;
    this.moved = false;
    pen.clearRect(0, 0, width, height);
    const start = Math.max(0, from), stop = Math.min(samples, to), left = (start - from) * view.zoom;
    if (view.regions) {
      pen.fillStyle = "#e0a80066";
      for (let i = Math.floor(start) + 1; i < stop; i++)
        if (this.inr.labels[i] !== this.inr.labels[i - 1]) pen.fillRect(Math.round((i - from) * view.zoom), 0, 1, height);
    }
    // Derivatives are drawn about a line in the middle.
    const [low, high] = view.levels, scale = (0.9 * height) / (high - low);
    /** @type {(v: number) => number} */
    const y = (v) => (view.show === "values" ? 0.95 * height - (v - low) * scale : height / 2 - v * scale);
    const [least, most] = this.inr.signal.value_range;
    pen.fillStyle = "#8888";
    pen.fillRect(0, Math.round(y(view.show === "values" ? -least / (most - least) : 0)), width, 1);
    pen.lineWidth = Math.max(1, devicePixelRatio);
    this.channels.forEach((channel, i) => {
      if (view.zoom < 1) this.range(this.atSamples(channel), from, y, COLOURS[i]);
      else this.line(this.derived(this.values(channel, start, stop, view.zoom)), left, 1, y, COLOURS[i]);
      if (view.beside && view.zoom >= 1) this.compare(channel, start, stop, from, y);
    });
    this.frames++;
    this.shown();
  }

  /**
   * @param {Float32Array} values at the pixels
   * @returns {Float32Array} what is asked for: these, or how they change from sample to sample
   */
  derived(values) {
    const { show, zoom } = this.view;
    if (show === "values") return values;
    return values.map((v, i) => {
      const before = values[Math.max(0, i - 1)], after = values[Math.min(values.length - 1, i + 1)];
      return show === "gradient" ? ((after - before) / 2) * zoom : (before + after - 2 * v) * zoom * zoom;
    });
  }

  /**
   * Values at equal distances as a line.
   * @param {Float32Array} values
   * @param {number} left where the first one's pixel begins
   * @param {number} step
   * @param {(v: number) => number} y
   * @param {string} colour
   */
  line(values, left, step, y, colour) {
    const { pen } = this;
    pen.strokeStyle = colour;
    pen.beginPath();
    values.forEach((v, i) => pen.lineTo(left + (i + 0.5) * step, y(v)));
    pen.stroke();
  }

  /**
   * Where there are more samples than pixels: from the least to the greatest of each pixel's.
   * @param {Float32Array} values
   * @param {number} from
   * @param {(v: number) => number} y
   * @param {string} colour
   */
  range(values, from, y, colour) {
    const { pen, canvas, view } = this;
    pen.fillStyle = colour;
    for (let x = 0; x < canvas.width; x++) {
      const first = Math.max(0, Math.floor(from + x / view.zoom)), last = Math.min(values.length, Math.ceil(from + (x + 1) / view.zoom));
      let least = Infinity, most = -Infinity;
      for (let i = first; i < last; i++) {
        const v = view.show === "values" || i === 0 ? values[i] : values[i] - values[i - 1];
        least = Math.min(least, v);
        most = Math.max(most, v);
      }
      if (first < last) pen.fillRect(x, y(most), 1, Math.max(1, y(least) - y(most)));
    }
  }

  /**
   * The original's samples, or a usual way between the function's own.
   * @param {number} channel
   * @param {number} start
   * @param {number} stop
   * @param {number} from
   * @param {(v: number) => number} y
   */
  compare(channel, start, stop, from, y) {
    const { pen, view, samples, original } = this, { channels } = this.inr.signal, own = view.beside === "original" ? null : this.atSamples(channel);
    /** @type {(i: number) => number} */
    const at = (i) => {
      const inside = clamp(i, 0, samples - 1);
      return own ? own[inside] : original ? original[inside * channels + channel] : 0;
    };
    pen.fillStyle = "#888";
    const size = 2.5 * devicePixelRatio;
    for (let i = Math.floor(start); i < stop && view.zoom > 4; i++)
      pen.fillRect((i + 0.5 - from) * view.zoom - size / 2, y(at(i)) - size / 2, size, size);
    if (view.show !== "values") return;
    const line = Float32Array.from({ length: Math.round((stop - start) * view.zoom) }, (_, k) => {
      const t = start + (k + 0.5) / view.zoom - 0.5, i = Math.floor(t), f = t - i, d = at(i + 1) - at(i);
      if (view.beside === "linear") return at(i) + f * d;
      if (view.beside !== "cubic") return at(f < 0.5 ? i : i + 1);
      const m = (at(i + 1) - at(i - 1)) / 2, n = (at(i + 2) - at(i)) / 2;
      return at(i) + f * (m + f * (3 * d - 2 * m - n + f * (m + n - 2 * d)));
    });
    this.line(line, (start - from) * view.zoom, 1, y, "#888");
  }

  /**
   * Where a pixel of the canvas is in the signal, and values there; null outside of it.
   * @param {number} x
   */
  at(x) {
    const { channels } = this.inr.signal, column = this.span[0] + (x + 0.5) / this.view.zoom;
    if (column < 0 || column >= this.samples || this.gl.isContextLost()) return null;
    this.function.enter(0, Math.max(0, this.view.channel) >> 2);
    const half = 0.5 / Math.max(1, this.view.zoom);
    const span = { start: Math.max(0, column - half), stop: Math.min(this.samples, column + half), size: 1 };
    return { column, row: 0, values: this.function.values({ start: 0, stop: 1, size: 1 }, span).subarray(0, channels) };
  }

  /** Least and greatest of the values that are shown. */
  extremes() {
    const [from, to] = this.span;
    let least = Infinity, most = -Infinity;
    for (const channel of this.channels)
      this.atSamples(channel).subarray(Math.max(0, Math.floor(from)), Math.ceil(to)).forEach((v) => {
        least = Math.min(least, v);
        most = Math.max(most, v);
      });
    return [least, most];
  }

  /**
   * Play what is shown; returns what stops it.
   * @param {number} rate samples a second
   * @param {() => void} ended
   */
  play(rate, ended) {
    const [from, to] = this.span, first = Math.max(0, Math.floor(from)), last = Math.min(this.samples, Math.ceil(to));
    const audio = new AudioContext(), channels = this.channels.slice(0, 2);
    const buffer = audio.createBuffer(channels.length, Math.max(1, last - first), rate);
    channels.forEach((channel, i) => buffer.copyToChannel(this.atSamples(channel).slice(first, last).map((v) => 2 * v - 1), i));
    const source = audio.createBufferSource();
    source.buffer = buffer;
    source.connect(audio.destination);
    source.onended = () => (audio.close(), ended());
    source.start();
    return () => source.stop();
  }
}

/**
 * Make the controls ready that play a curve.
 * @param {Curve} curve
 * @param {number | undefined} spacing of its samples
 * @param {{[id: string]: any}} ui
 */
export function hearable(curve, spacing, ui) {
  const { play } = ui, rate = Math.round(1 / (spacing ?? 1));
  ui.sound.hidden = false;
  if (rate >= 3000) ui.rate.add(new Option(`${rate / 1000} kHz`, `${rate}`, true, true), 0);
  /** @type {(() => void) | null} */
  let stop = null;
  play.onclick = () => {
    if (stop) return stop();
    play.textContent = "Stop";
    stop = curve.play(Number(ui.rate.value), () => ((stop = null), (play.textContent = "Play")));
  };
}
