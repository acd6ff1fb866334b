// The planes of a volume, one by one or the greatest value of all.
import { film } from "./film.mjs";
import { MAIN } from "./gl.mjs";

// Whichever is larger of two.
export const LARGER = `
uniform sampler2D one, other;
out vec4 values;
${MAIN}
  values = max(texelFetch(one, pixel, 0), texelFetch(other, pixel, 0));
}`;

/**
 * Make a volume's controls ready.
 * @param {import("./header.mjs").Signal} signal
 * @param {number} planes
 * @param {{[id: string]: any}} ui
 * @param {import("./picture.mjs").View} view
 * @param {() => boolean} settled whether the last plane is there
 * @param {() => void} update shows what the view says
 * @returns {{[key: string]: () => void}} what keys do
 */
export function throughPlanes(signal, planes, ui, view, settled, update) {
  const { plane, maximum } = ui;
  /** @type {((plane: number) => string) | null} of a video */
  let time = null;
  const slice = () => {
    view.plane = maximum.checked ? -1 : Number(plane.value);
    plane.disabled = maximum.checked;
    ui.slice.textContent = maximum.checked ? "all" : `${view.plane + 1} of ${planes}${time?.(view.plane) ?? ""}`;
    update();
  };
  ui.volume.hidden = false;
  plane.max = `${planes - 1}`;
  plane.value = `${view.plane}`;
  plane.oninput = maximum.onchange = slice;
  if (signal.kind === "video") time = film(signal.axes?.[0], planes, ui, settled, slice);
  return { m: () => !time && maximum.click(), "[": () => (plane.stepDown(), slice()), "]": () => (plane.stepUp(), slice()) };
}
