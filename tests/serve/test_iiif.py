"""The server against the IIIF Image API 3.0: what the official validator asks for, and what it leaves out."""

import asyncio
import io
import threading

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

import partinr
from asgi import Client, ask
from partinr import InputError
from partinr.cores import usable_cores
from partinr.serve import app as server
from partinr.serve import picture as module
from partinr.serve.app import application
from partinr.serve.asked import Limits, UnservedError, asked
from partinr.serve.picture import Picture, encoded
from stores import stored

AT = "/iiif/3/a%2Fpicture"
LIMITS = Limits(side=600, area=200_000)


@pytest.fixture(scope="module")
def mosaic(tmp_path_factory):
    return partinr.open(stored(tmp_path_factory.mktemp("stores") / "p.inrs", astronaut()[:190, 100:340]))


@pytest.fixture(scope="module")
def client(mosaic):
    return Client(application([Picture("a/picture", mosaic, LIMITS)]))


def picture(client, words):
    answer = client.get(f"{AT}/{words}")
    assert answer.status == 200, answer.text
    return Image.open(io.BytesIO(answer.content)), answer


def test_information(client):
    answer = client.get(f"{AT}/info.json")
    told = answer.json
    assert answer.headers["content-type"] == "application/json"
    assert (told["width"], told["height"], told["type"], told["profile"]) == (
        240,
        190,
        "ImageService3",
        "level2",
    )
    assert told["id"] == f"http://testserver{AT}"
    assert told["@context"] == "http://iiif.io/api/image/3/context.json"
    assert (told["maxWidth"], told["maxArea"]) == (600, 200_000)
    assert told["tiles"] == [{"width": 256, "height": 256, "scaleFactors": [1]}]
    assert told["sizes"] == [{"width": 240, "height": 190}]
    linked = client.get(f"{AT}/info.json", accept="application/ld+json")
    assert linked.headers["content-type"].startswith("application/ld+json;profile=")
    assert linked.json == told
    moved = client.get(AT)
    assert (moved.status, moved.headers["location"]) == (303, f"http://testserver{AT}/info.json")


# region, size: region and size in pixels, canonical form.
REGIONS = {
    "full": ((0, 0, 240, 190), "full"),
    "square": ((25, 0, 190, 190), "25,0,190,190"),
    "10,20,30,40": ((10, 20, 30, 40), "10,20,30,40"),
    "200,100,500,500": ((200, 100, 40, 90), "200,100,40,90"),
    "0,0,240,190": ((0, 0, 240, 190), "full"),
    "pct:50,50,25.5,100": ((120, 95, 61, 95), "120,95,61,95"),
    "pct:99.7,0,0.01,.5": ((239, 0, 1, 1), "239,0,1,1"),
}
SIZES = {
    "max": ((100, 50), "max"),
    "^max": ((600, 300), "^max"),
    "50,": ((50, 25), "50,25"),
    ",10": ((20, 10), "20,10"),
    "pct:33": ((33, 17), "33,17"),
    "^pct:150": ((150, 75), "^150,75"),
    "30,40": ((30, 40), "30,40"),
    "^120,40": ((120, 40), "^120,40"),
    "100,50": ((100, 50), "max"),
    "!60,60": ((60, 30), "60,30"),
    "!1000,1000": ((100, 50), "max"),
    "^!200,400": ((200, 100), "^200,100"),
    "^!5000,5000": ((600, 300), "^max"),
    "^90,10": ((90, 10), "90,10"),
    "1,": ((1, 1), "1,1"),
}


@pytest.mark.parametrize("word", REGIONS)
def test_regions(word):
    found = asked((word, "max", "0", "default.jpg"), (240, 190), LIMITS)
    assert (found.region, found.canonical.split("/")[0]) == REGIONS[word]


@pytest.mark.parametrize("word", SIZES)
def test_sizes(word):
    found = asked(("10,20,100,50", word, "0", "default.jpg"), (240, 190), LIMITS)
    assert (found.size, found.canonical.split("/")[1]) == SIZES[word]
    again = asked(tuple(found.canonical.split("/")), (240, 190), LIMITS)
    assert again == found


def test_a_picture_above_the_limits_is_as_large_as_may_be():
    found = asked(("full", "max", "0", "default.jpg"), (30_000, 20_000), LIMITS)
    assert found.size == (547, 365)
    assert found.canonical.startswith("full/max/")
    assert asked(("full", "!600,600", "0", "default.jpg"), (30_000, 20_000), LIMITS).size == (547, 365)


@pytest.mark.parametrize(
    "words",
    [
        *(
            f"{word}/max/0/default.jpg"
            for word in ("", "FULL", "1,2,3", "1,2,3,4,5", "-1,0,5,5", "1.5,0,5,5")
        ),
        *(f"{word}/max/0/default.jpg" for word in ("0,0,0,5", "240,0,5,5", "pct:0,0,0,10", "pct:100,0,5,5")),
        *(
            f"{word}/max/0/default.jpg"
            for word in ("pct:a,0,1,1", "pct:0,0,nan,1", "pct:1e9,0,1,1", "٣,0,5,5")
        ),
        *(
            f"full/{word}/0/default.jpg"
            for word in ("full", "0,", ",0", "10", ",", "!10,", "^", "241,", ",191")
        ),
        *(
            f"full/{word}/0/default.jpg"
            for word in ("pct:101", "pct:0", "pct:-5", "^601,10", "^500,500", "a,b")
        ),
        *(
            f"full/{word}/0/default.jpg"
            for word in ("pct:inf", "9" * 30 + ",", "^pct:99999", "!0,5", "300,200")
        ),
        *(f"full/max/{word}/default.jpg" for word in ("-1", "361", "!", "90!", "abc", "!!0", "")),
        *(
            f"full/max/0/{word}"
            for word in ("default", "default.", "grey.jpg", ".jpg", "default.xyz", "color")
        ),
    ],
)
def test_what_is_malformed_is_a_bad_request(client, words):
    answer = client.get(f"{AT}/{words}")
    assert answer.status == 400
    assert answer.headers["access-control-allow-origin"] == "*"
    assert len(answer.text.splitlines()) == 1


@pytest.mark.parametrize(
    "words", ["full/max/22.5/default.jpg", "full/max/!1/color.png", "full/max/0/gray.jp2"]
)
def test_what_is_not_served_says_so(client, words):
    assert client.get(f"{AT}/{words}").status == 501
    with pytest.raises(UnservedError):
        asked(tuple(words.split("/")), (240, 190), LIMITS)


@pytest.mark.parametrize(
    "path",
    [
        "/iiif/3/other/info.json",
        "/iiif/3/a/picture/info.json",
        "/iiif/3/a/picture/full/max/0/default.jpg",
        "/iiif/3/..%2F..%2Fetc%2Fpasswd/full/max/0/default.jpg",
        "/iiif/3/%2e%2e/%2e%2e/pyproject.toml",
        "/..%2f..%2fetc/passwd",
        f"{AT}/info.xml",
        f"{AT}/full/max/0",
        f"{AT}/full/max/0/default.jpg/",
        "/iiif/3/",
        "/page.css",
    ],
)
def test_what_is_not_there_is_not_found(client, path):
    assert client.get(path).status == 404


def test_methods(client):
    assert client.ask("POST", f"{AT}/info.json").status == 405
    options = client.ask("OPTIONS", f"{AT}/info.json")
    assert (options.status, options.headers["access-control-allow-methods"]) == (
        204,
        "GET, HEAD, OPTIONS",
    )
    head = client.ask("HEAD", f"{AT}/full/max/0/default.png")
    assert (head.status, head.headers["content-type"]) == (200, "image/png")
    assert client.get("/iiif/3/%ff/info.json").status == 400


def test_pictures_are_renderings(client, mosaic):
    shown = mosaic[...]
    values, answer = picture(client, "full/max/0/default.png")
    np.testing.assert_array_equal(np.asarray(values), shown)
    assert answer.headers["link"] == (
        f'<http://testserver{AT}/full/max/0/default.png>;rel="canonical", '
        '<http://iiif.io/api/image/3/level2.json>;rel="profile"'
    )
    part = shown[20:90, 30:80]
    for words, wanted in {
        "0/default": part,
        "90/color": np.rot90(part, -1),
        "180/default": part[::-1, ::-1],
        "270/default": np.rot90(part),
        "360/default": part,
        "!0/default": part[:, ::-1],
        "!90/default": np.rot90(part[:, ::-1], -1),
    }.items():
        np.testing.assert_array_equal(np.asarray(picture(client, f"30,20,50,70/max/{words}.png")[0]), wanted)
    larger, _ = picture(client, "30,20,50,70/^200,280/0/default.png")
    wanted = mosaic.render(crop=((20, 90), (30, 80)), size=(280, 200))
    # But for values that are as near to one number as to the next.
    apart = np.abs(np.asarray(larger).astype(int) - wanted.astype(int))
    assert apart.max() <= 1
    assert (apart > 0).mean() < 1e-3


def test_qualities_and_formats(client):
    colour, _ = picture(client, "full/max/0/color.png")
    grey, _ = picture(client, "full/max/0/gray.png")
    assert grey.mode == "L"
    np.testing.assert_array_equal(np.asarray(grey), np.asarray(colour.convert("L")))
    bitonal, _ = picture(client, "full/max/0/bitonal.png")
    assert bitonal.mode == "1"
    np.testing.assert_array_equal(np.asarray(bitonal), np.asarray(grey) >= 128)
    kinds = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF", "tif": "TIFF"}
    for kind, name in kinds.items():
        for quality in ("default", "gray", "bitonal"):
            found, answer = picture(client, f"full/60,/0/{quality}.{kind}")
            assert (found.format, found.size) == (name, (60, 48))
            assert answer.headers["content-type"] == f"image/{name.lower()}"


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_of_all_channels_are_encoded_in_all_formats(channels):
    values = np.full((5, 4, channels), 200, np.uint8)
    values[..., channels - 1] = 0 if channels in (2, 4) else 200
    for kind in ("jpg", "png", "webp", "gif", "tif"):
        for quality in ("default", "color", "gray", "bitonal"):
            found = Image.open(io.BytesIO(encoded(values, quality, kind)))
            assert found.size == (4, 5)
            if kind == "jpg" and channels in (2, 4):
                assert np.asarray(found.convert("L")).min() > 250


def test_an_answer_that_is_known_is_not_made_again(client, monkeypatch):
    _, answer = picture(client, "full/50,/0/default.jpg")
    monkeypatch.setattr(module.Picture, "made", lambda *_: pytest.fail("it was"))
    again = client.get(f"{AT}/full/50,/0/default.jpg", if_none_match=answer.headers["etag"])
    assert (again.status, again.content) == (304, b"")
    assert client.get(f"{AT}/full/50,40/0/default.jpg").content == answer.content


def test_pictures_that_are_kept_are_bounded(mosaic, monkeypatch):
    client = Client(application([Picture("p", mosaic, LIMITS)]))
    monkeypatch.setattr(server, "_KEPT", 3000)
    made = []

    def kept(_, wanted, until):
        assert until > 0
        made.append(wanted.size)
        return bytes(1000)

    monkeypatch.setattr(module.Picture, "made", kept)
    for width in (10, 11, 12, 10, 13, 10, 11):
        client.get(f"/iiif/3/p/full/{width},/0/default.jpg")
    assert [width for width, _ in made] == [10, 11, 12, 13, 11]


def test_requests_are_bounded_in_time(mosaic, monkeypatch):
    free = threading.Event()

    def slow(*_):
        free.wait(20)
        raise module.TooSlowError

    monkeypatch.setattr(module.Picture, "made", slow)

    async def two():
        app = application([Picture("p", mosaic, LIMITS)], cores=1, seconds=0.2)
        first = asyncio.create_task(ask(app, "GET", "/iiif/3/p/full/max/0/default.jpg", {}))
        await asyncio.sleep(0.05)
        waiting = await ask(app, "GET", "/iiif/3/p/full/50,/0/default.jpg", {})
        free.set()
        return waiting, await first

    waiting, first = asyncio.run(two())
    assert [waiting.status, first.status] == [503, 503]
    assert waiting.headers["retry-after"] == "5"
    late = Picture("p", mosaic, LIMITS)
    monkeypatch.undo()
    wanted = asked(("full", "max", "0", "default.jpg"), (240, 190), LIMITS)
    with pytest.raises(module.TooSlowError):
        late.made(wanted, until=0, clock=lambda: 1)


def test_requests_share_the_cores(mosaic, monkeypatch):
    monkeypatch.setattr("partinr.cores.os.cpu_count", lambda: 8)
    monkeypatch.delattr("partinr.cores.os.sched_getaffinity", raising=False)
    took, both = [], threading.Barrier(2, timeout=20)

    def counted(_, wanted, *__):
        took.append(usable_cores())
        if wanted.size[0] > 50:
            both.wait()
        return b""

    monkeypatch.setattr(module.Picture, "made", counted)
    app = application([Picture("p", mosaic, LIMITS)])

    async def some(*widths):
        paths = [f"/iiif/3/p/full/{width},/0/default.jpg" for width in widths]
        await asyncio.gather(*(ask(app, "GET", path, {}) for path in paths))

    asyncio.run(some(50))
    asyncio.run(some(60, 70))
    assert took[0] == 8
    assert min(took[1:]) == 4


def test_a_store_that_breaks_is_an_error_of_the_server(tmp_path):
    path = stored(tmp_path / "p.inrs", astronaut()[:64, :128])
    client = Client(application([Picture("p", partinr.open(path), LIMITS)]))
    (path / "tiles" / "0" / "1.inr").write_bytes(b"nothing")
    answer = client.get("/iiif/3/p/full/max/0/default.jpg")
    assert (answer.status, answer.text) == (500, "the image cannot be read\n")
    assert client.get("/iiif/3/p/0,0,30,30/max/0/default.jpg").status == 200


def test_the_page_asks_no_other_host(client):
    page = client.get("/")
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    for path in ("/page.js", "/openseadragon.min.js", "/openseadragon.LICENSE.txt"):
        assert client.get(path).status == 200
    assert "http" not in page.text + client.get("/page.js").text
    assert client.get("/pictures.json").json == [{"name": "a/picture", "address": AT.removeprefix("/")}]


def test_what_is_no_picture_is_refused(tmp_path):
    partinr.save(partinr.fit(np.zeros((16, 16, 16))).model, tmp_path / "v.inr", store="compact")
    with pytest.raises(InputError, match="two axes and 1 to 4 channels are served, got 3 axes"):
        Picture("v", partinr.open(tmp_path / "v.inr"), LIMITS)
