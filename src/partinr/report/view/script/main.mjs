// The page: reads the file in a worker, shows its function, and ties controls to what is shown.
import { Damaged, broken, sha256, unzlib } from "./bytes.mjs";
import { Curve, hearable } from "./curve.mjs";
import { opened } from "./file.mjs";
import { follow } from "./gestures.mjs";
import { isColoured } from "./header.mjs";
import { clamp, sides } from "./numbers.mjs";
import { Picture } from "./picture.mjs";
import { throughPlanes } from "./volume.mjs";

/**
 * @typedef {import("./header.mjs").Inr} Inr
 * @typedef {import("./picture.mjs").View} View
 */

const MOST_ZOOM = 4096;

/** The page's elements by their ids. @type {{[id: string]: any}} */
const ui = {};

/**
 * Bytes that stand in the page.
 * @param {string} id
 */
function embedded(id) {
  const text = ui[id]?.textContent.trim();
  if (!text) return null;
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    broken("what is in the page was changed or cut short");
  }
}

/**
 * Read a file in a worker, so that the page stays alive; here if there is none.
 * @param {Uint8Array} bytes
 * @returns {Promise<Inr>}
 */
function read(bytes) {
  return new Promise((resolve, reject) => {
    const here = () => opened(bytes).then(resolve, reject);
    try {
      const script = new Blob([ui.script.textContent], { type: "text/javascript" });
      const worker = new Worker(URL.createObjectURL(script));
      worker.onmessage = ({ data }) => (worker.terminate(), data.inr ? resolve(data.inr) : reject(new Damaged(data.damaged)));
      worker.onerror = here;
      worker.postMessage(bytes);
    } catch {
      here();
    }
  });
}

/**
 * Deflated bytes that stand in the page with their checksum.
 * @param {string} id
 * @param {number} most bytes
 */
async function checked(id, most) {
  const bytes = embedded(id);
  if (bytes && !sha256(bytes).startsWith(ui[id].dataset.sum)) broken(`the checksum of the ${id} differs`);
  return bytes && unzlib(bytes, most);
}

/** Normalised values of the original, if the page has them. */
async function originalValues() {
  const { size, samples, channels } = ui.original?.dataset ?? {};
  const wide = Number(size), total = Number(samples) * Number(channels), raw = await checked("original", total * wide);
  if (!raw) return null;
  const found = new Float32Array(total), last = new Int32Array(Number(channels));
  for (let i = 0, most = 256 ** wide; i < total; i++) {
    const c = i % last.length;
    last[c] = (last[c] + raw[i] + (wide > 1 ? 256 * raw[total + i] : 0)) % most;
    found[i] = last[c] / (most - 1);
  }
  return found;
}

/**
 * @param {number} v normalised
 * @param {import("./header.mjs").Signal} signal
 */
function inUnits(v, { dtype, value_range: [low, high] }) {
  const value = v * (high - low) + low;
  if (dtype.startsWith("float")) return Number(value.toPrecision(5)).toString();
  return clamp(Math.round(value), low, high).toString();
}

/**
 * @param {Inr} inr
 * @param {Float32Array | null} original
 */
function start(inr, original) {
  const { signal } = inr, { stage, canvas, channel, regions, play, split } = ui;
  const [planes, rows, columns] = sides(signal.shape), line = signal.shape.length === 1;
  const coloured = isColoured(signal), grey = !coloured && !line && (signal.channels < 3 || signal.channels > 4);
  /** @type {View} */
  const view = {
    x: columns / 2, y: rows / 2, zoom: 1, plane: planes >> 1, channel: grey ? 0 : -1,
    show: "values", beside: "", split: 0.5, regions: false, levels: [0, 1],
  };
  const shown = new (line ? Curve : Picture)(canvas, inr, view, original, () => {
    document.body.classList.add("alive");
    page.first ??= performance.now();
    page.settled = shown.settled;
  });
  let fitted = true, pointer = { x: -1, y: -1 };

  /** @returns {number} the zoom at which all is seen */
  const whole = () => Math.min(canvas.width / columns, line ? Infinity : canvas.height / rows);
  const update = () => {
    if (fitted) Object.assign(view, { x: columns / 2, y: rows / 2, zoom: whole() });
    const { zoom } = view, halves = [canvas.width / 2 / zoom, canvas.height / 2 / zoom];
    view.x = halves[0] * 2 > columns ? columns / 2 : clamp(view.x, halves[0], columns - halves[0]);
    view.y = halves[1] * 2 > rows ? rows / 2 : clamp(view.y, halves[1], rows - halves[1]);
    ui.zoom.textContent = `${zoom >= 10 ? Math.round(zoom) : Number(zoom.toPrecision(2))}×`;
    split.hidden = !view.beside || line;
    split.style.left = `${100 * view.split}%`;
    page.settled = false;
    shown.show(view);
    tell();
  };
  const resize = () => {
    const box = stage.getBoundingClientRect(), ratio = devicePixelRatio;
    canvas.width = Math.max(1, Math.round(box.width * ratio));
    canvas.height = Math.max(1, Math.round(box.height * ratio));
    update();
  };
  /** @type {(factor: number, x?: number, y?: number) => void} */
  const zoom = (factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) => {
    const ratio = devicePixelRatio, before = view.zoom;
    fitted = false;
    view.zoom = clamp(before * factor, Math.min(1, whole()) / 2, MOST_ZOOM);
    view.x += (x * ratio - canvas.width / 2) * (1 / before - 1 / view.zoom);
    view.y += (y * ratio - canvas.height / 2) * (1 / before - 1 / view.zoom);
    update();
  };
  /** @type {(dx: number, dy: number) => void} */
  const pan = (dx, dy) => {
    fitted = false;
    view.x -= (dx * devicePixelRatio) / view.zoom;
    view.y -= (dy * devicePixelRatio) / view.zoom;
    update();
  };
  let asked = 0;
  const tell = () => {
    cancelAnimationFrame(asked);
    asked = requestAnimationFrame(() => {
      const ratio = devicePixelRatio, found = shown.at(Math.floor(pointer.x * ratio), Math.floor(pointer.y * ratio));
      const first = Math.max(0, view.channel) & ~3, count = Math.min(4, signal.channels - first);
      /** @type {(x: number) => string} */
      const place = (x) => (x - 0.5).toFixed(view.zoom > 4 ? 2 : 0);
      const at = found && (line ? place(found.column) : `${place(found.column)}, ${place(found.row)}`);
      const values = found && Array.from(found.values.subarray(0, count), (v) => inUnits(v, signal)).join(" ");
      ui.value.textContent = found ? `${at}: ${values}` : "";
    });
  };

  /** @type {(key: "show" | "beside", values: string[]) => void} */
  const choice = (key, values) => {
    const select = ui[key];
    select.onchange = () => ((/** @type {any} */ (view)[key] = values[select.selectedIndex]), levels(), update());
    stepped[key] = () => {
      select.selectedIndex = (select.selectedIndex + 1) % select.options.length;
      select.dispatchEvent(new Event("change"));
    };
  };
  /** @type {{[id: string]: () => void}} what a key does to a control */
  const stepped = {};
  if (!ui.original) ui.beside.options[4].remove();
  choice("show", ["values", "gradient", "laplacian"]);
  choice("beside", ["", "nearest", "linear", "cubic", "original"]);
  const names = !coloured ? [] : signal.channels > 2 ? ["Red", "Green", "Blue", "Alpha"] : ["Grey", "Alpha"];
  if (grey) channel.options[0].remove();
  for (let c = 0; c < signal.channels; c++) channel.add(new Option(names[c] ?? `Channel ${c + 1}`, `${c}`));
  channel.value = `${view.channel}`;
  channel.onchange = () => ((view.channel = Number(channel.value)), update());
  ui.channels.hidden = signal.channels === 1;
  regions.onchange = () => ((view.regions = regions.checked), update());

  const sliders = ["low", "high"].map((id) => ui[id]);
  /** @type {(low?: number, high?: number) => void} */
  const levels = (low = 0, high = 1) => {
    view.levels = [low, Math.max(high, low + 1e-4)];
    view.levels.forEach((level, i) => {
      sliders[i].value = `${1000 * level}`;
      ui[["lowest", "highest"][i]].textContent = inUnits(level, signal);
    });
  };
  for (const slider of sliders)
    slider.oninput = () => (levels(Number(sliders[0].value) / 1000, Number(sliders[1].value) / 1000), update());
  ui.auto.onclick = () => {
    const [least, most] = shown.extremes();
    if (least < most) levels(least, most), update();
  };
  ui.reset.onclick = () => (levels(), update());
  levels();

  if (line) hearable(/** @type {Curve} */ (shown), signal.axes?.[0].spacing, ui);

  const fit = () => ((fitted = true), update());
  const actual = () => zoom(1 / view.zoom);
  ui.in.onclick = () => zoom(2);
  ui.out.onclick = () => zoom(0.5);
  ui.fit.onclick = fit;
  ui.actual.onclick = actual;
  /** @type {{[key: string]: () => void}} */
  const keys = {
    "+": () => zoom(2 ** 0.5), "-": () => zoom(2 ** -0.5), 0: fit, 1: actual,
    ArrowLeft: () => pan(60, 0), ArrowRight: () => pan(-60, 0), ArrowUp: () => pan(0, 60), ArrowDown: () => pan(0, -60),
    r: () => regions.click(), b: stepped.beside, g: stepped.show, " ": () => (line ? play : ui.film).click(),
    ...(planes > 1 && throughPlanes(signal, planes, ui, view, () => page.settled, update)),
    ",": () => ((view.split = Math.max(0, view.split - 0.05)), update()), ".": () => ((view.split = Math.min(1, view.split + 0.05)), update()),
  };
  follow(stage, {
    pan,
    zoom,
    point: (x, y) => ((pointer = { x, y }), tell()),
    key: (key) => {
      const known = key in keys;
      if (known) keys[key]();
      return known;
    },
  });
  split.onpointerdown = (/** @type {PointerEvent} */ event) => (event.stopPropagation(), split.setPointerCapture(event.pointerId));
  split.onpointermove = (/** @type {PointerEvent} */ event) => {
    if (!split.hasPointerCapture(event.pointerId)) return;
    const box = stage.getBoundingClientRect();
    view.split = clamp((event.clientX - box.left) / box.width, 0, 1);
    update();
  };
  new ResizeObserver(resize).observe(stage);
  resize();
  Object.assign(page, { inr, view, shown, update });
}

/** What the page holds, for whoever looks with the browser's own tools. @type {{[name: string]: any}} */
const page = {};

if (typeof document === "undefined")
  onmessage = ({ data }) => opened(data).then((inr) => postMessage({ inr }), ({ message }) => postMessage({ damaged: message }));
else {
  Object.assign(globalThis, { partinr: page });
  for (const own of document.querySelectorAll("[id]")) ui[own.id] = own;
  const show = async () => {
    const bytes = embedded("file");
    if (!bytes) broken("there is no file in it");
    if (!document.createElement("canvas").getContext("webgl2")) throw new Error("this browser has no WebGL 2");
    const inr = await read(bytes);
    page.decoded = performance.now();
    inr.details = await checked("details", 65536);
    start(inr, await originalValues());
  };
  show().catch((/** @type {Error} */ error) => {
    const damaged = error instanceof Damaged, message = ui.message;
    message.textContent = damaged
      ? `This page is damaged: ${error.message}. Take it again from where it came from.`
      : `This is a still picture: ${error.message}.`;
    message.hidden = false;
    document.body.classList.add("failed");
    page.failed = error.message;
  });
}
