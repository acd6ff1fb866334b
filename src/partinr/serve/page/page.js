"use strict";
// The page with a viewer: OpenSeadragon on the images that the server has.
const at = (id) => document.getElementById(id);

// Beyond the samples viewers enlarge pixels. Here the function itself is asked for, up to so many times.
const BEYOND = 8;

/** Tiles of an image, as the server's info.json describes it, and of its enlargements. */
function tiles(info) {
  const tile = info.tiles[0].width;
  const width = info.width * BEYOND;
  const height = info.height * BEYOND;
  const finest = Math.ceil(Math.log2(Math.max(width, height)));
  return {
    width,
    height,
    tileWidth: tile,
    tileHeight: tile,
    maxLevel: finest,
    minLevel: Math.min(finest, Math.floor(Math.log2(tile))),
    getTileUrl(level, x, y) {
      const pixel = 2 ** (finest - level);
      const along = (n, k) => {
        const first = k * tile * pixel;
        const length = Math.min(n - first, tile * pixel);
        return [first / BEYOND, length / BEYOND, Math.ceil(length / pixel)];
      };
      const [left, w, columns] = along(width, x);
      const [top, h, rows] = along(height, y);
      return `${info.id}/${left},${top},${w},${h}/^${columns},${rows}/0/default.jpg`;
    },
  };
}

async function start() {
  const pictures = await (await fetch("pictures.json")).json();
  const viewer = OpenSeadragon({
    element: at("stage"),
    showNavigationControl: false,
    showNavigator: true,
    crossOriginPolicy: "Anonymous",
    maxZoomPixelRatio: 2,
  });
  window.viewer = viewer;
  const show = async (picture) => {
    at("name").textContent = document.title = picture.name;
    const info = await (await fetch(`${picture.address}/info.json`)).json();
    // Behind a proxy its own address may be another one than it was asked by.
    viewer.open(tiles({ ...info, id: picture.address }));
  };
  const select = at("pictures");
  select.hidden = pictures.length < 2;
  for (const [k, { name }] of pictures.entries()) select.add(new Option(name, k));
  select.onchange = () => show(pictures[select.value]);
  at("in").onclick = () => viewer.viewport.zoomBy(2);
  at("out").onclick = () => viewer.viewport.zoomBy(0.5);
  at("home").onclick = () => viewer.viewport.goHome();
  at("full").onclick = () => viewer.setFullScreen(!viewer.isFullPage());
  viewer.addHandler("update-viewport", () => {
    const item = viewer.world.getItemAt(0);
    if (!item) return;
    const size = item.getContentSize();
    const zoom = BEYOND * item.viewportToImageZoom(viewer.viewport.getZoom(true));
    const shown = zoom < 1 ? zoom.toPrecision(2) : zoom.toFixed(1);
    at("place").textContent = `${size.x / BEYOND} × ${size.y / BEYOND} samples, ${shown} pixels each`;
  });
  if (pictures.length) await show(pictures[0]);
}

start();
