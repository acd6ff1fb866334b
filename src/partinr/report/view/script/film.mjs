// Playing a video.

/**
 * Make a video's controls ready.
 * @param {{spacing?: number, origin?: number, unit?: string} | undefined} axis of time
 * @param {number} planes frames
 * @param {{[id: string]: any}} ui
 * @param {() => boolean} settled whether the last frame is there
 * @param {() => void} slice shows the frame that the slider is at
 * @returns {(plane: number) => string} what time it is in a frame
 */
export function film(axis, planes, ui, settled, slice) {
  const { plane } = ui, time = axis?.unit === "s" ? axis : null, seconds = time?.spacing || 1 / 25;
  ui.film.hidden = false;
  ui.most.hidden = true;
  ui.along.textContent = "Frame";
  let began = NaN;
  // At its rate; where pixels take longer, frames are left out.
  const roll = () => {
    if (Number.isNaN(began)) return;
    const at = Math.floor((performance.now() - began) / 1000 / seconds) % planes;
    if (settled() && at !== Number(plane.value)) (plane.value = `${at}`), slice();
    requestAnimationFrame(roll);
  };
  ui.film.onclick = () => {
    const playing = !Number.isNaN(began);
    began = playing ? NaN : performance.now() - Number(plane.value) * 1000 * seconds;
    ui.film.textContent = playing ? "Play" : "Stop";
    roll();
  };
  return (at) => (time ? `, ${((time.origin ?? 0) + at * seconds).toFixed(2)} s` : "");
}
