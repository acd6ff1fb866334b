"""The page with a viewer, in a headless Chromium: its deepest level is what `render` gives."""

import io
import threading

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

import partinr
from browser import CHROMIUM, Browser
from partinr.serve.app import application
from partinr.serve.asked import Limits
from partinr.serve.picture import Picture
from partinr.serve.server import listening, run
from stores import stored


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_the_deepest_level_is_the_function(tmp_path):
    mosaic = partinr.open(stored(tmp_path / "p.inrs", astronaut()[:200, 100:356]))
    app = application([Picture("p", mosaic, Limits())])
    with listening("127.0.0.1", 0) as place, Browser(800, 600) as browser:
        threading.Thread(target=run, args=(app, place), daemon=True).start()
        browser.call("Page.navigate", url=f"http://127.0.0.1:{place.getsockname()[1]}/")
        ready = "window.viewer && viewer.world && viewer.world.getItemAt(0)?.getFullyLoaded()"
        browser.until(ready)
        # Eight pixels for each sample, around the middle, where four tiles of the store meet nearby.
        browser.value("viewer.setMaxZoomPixelRatio?.(2); viewer.navigator.element.style.display = 'none'; 1")
        browser.value(
            "const item = viewer.world.getItemAt(0);"
            "viewer.viewport.zoomTo(item.imageToViewportZoom(1), null, true);"
            "viewer.viewport.panTo(item.imageToViewportCoordinates(128 * 8, 64 * 8), true); 1"
        )
        browser.until("viewer.world.getItemAt(0).getFullyLoaded() && !viewer.world.needsDraw()")
        left, top, width, height = browser.value(
            "(() => { const box = document.getElementById('stage').getBoundingClientRect();"
            "return [box.left, box.top, box.width, box.height]; })()"
        )
        shown = np.asarray(Image.open(io.BytesIO(browser.picture())).convert("RGB")).astype(float)
        assert browser.log == []
    middle = np.array([top + height / 2, left + width / 2])
    row, column = np.floor(middle - (160, 240)).astype(int)
    first = (np.array([row, column]) - middle) / 8 + (64, 128)
    crop = [(a, a + n / 8) for a, n in zip(first, (320, 480), strict=True)]
    wanted = mosaic.render(crop=crop, size=(320, 480)).astype(float)
    found = shown[row : row + 320, column : column + 480]
    assert 10 * np.log10(255**2 / np.square(found - wanted).mean()) > 38
