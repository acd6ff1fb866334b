// Pointers, wheel and keys, as moves of what is shown.

/**
 * @typedef {object} Moves
 * @property {(dx: number, dy: number) => void} pan by so many pixels of the page
 * @property {(factor: number, x: number, y: number) => void} zoom about a point of the stage
 * @property {(x: number, y: number) => void} point a pointer is there
 * @property {(key: string) => boolean} key returns whether it means something
 */

/**
 * @param {HTMLElement} stage
 * @param {Moves} moves
 */
export function follow(stage, moves) {
  /** @type {Map<number, {x: number, y: number}>} */
  const pointers = new Map();
  /** @type {(event: MouseEvent) => {x: number, y: number}} */
  const place = (event) => {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  stage.addEventListener("pointerdown", (event) => {
    if (event.target instanceof Element && event.target.closest("button, input, select")) return;
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, place(event));
  });
  stage.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId), now = place(event);
    moves.point(now.x, now.y);
    if (!before) return;
    pointers.set(event.pointerId, now);
    const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    if (others.length > 1) return;
    const [other] = others;
    if (!other) return moves.pan(now.x - before.x, now.y - before.y);
    const apart = (/** @type {{x: number, y: number}} */ at) => Math.max(10, Math.hypot(at.x - other.x, at.y - other.y));
    moves.zoom(apart(now) / apart(before), (now.x + other.x) / 2, (now.y + other.y) / 2);
    moves.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
  });
  for (const end of /** @type {const} */ (["pointerup", "pointercancel"]))
    stage.addEventListener(end, (event) => pointers.delete(event.pointerId));
  stage.addEventListener("dblclick", (event) => moves.zoom(2, place(event).x, place(event).y));
  stage.addEventListener(
    "wheel",
    (event) => {
      // Within another page, the wheel moves that one until this one was touched.
      if (self !== top && !document.hasFocus()) return;
      event.preventDefault();
      const lines = [1, 20, 400][event.deltaMode];
      moves.zoom(2 ** ((-event.deltaY * lines) / 240), place(event).x, place(event).y);
    },
    { passive: false },
  );
  addEventListener("keydown", (event) => {
    const typing = event.target instanceof Element && event.target.matches("select, input[type=range]");
    if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== "Escape")) return;
    if (moves.key(event.key)) event.preventDefault();
  });
}
