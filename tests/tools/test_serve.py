"""fcn serve: images that are sent come back as labels, and what cannot be segmented is refused in words."""

import base64
import contextlib
import http.client
import io
import json
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcn_caffe import Segmenter
from fcn_caffe.commands import serve
from fcn_caffe.serve.service import Service
from fcn_caffe.serve.uploads import Limits, Refused, picture
from tests.browser import browser
from tests.patience import PATIENCE
from tests.tools.conftest import ROOT
from tests.tools.test_infer import INPUT, SCORE, write

LIMITS = Limits(size=300_000, pixels=400_000, side=400, waiting=3)


@pytest.fixture
def photo(empty):
    """photo.png, 90 × 140, and a net that sees three classes by the colour of a pixel."""
    write("net.prototxt", INPUT.format("data", 3) + SCORE.replace("SIZE", "kernel_size: 1"))
    pixels = np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8).repeat(10, 0).repeat(10, 1)
    Image.fromarray(pixels).save("photo.png")
    return pixels


@pytest.fixture
def service(photo):
    """A service of that net; what it serves on is in its server_address."""
    with running(Segmenter("net.prototxt", "net.caffemodel")) as found:
        yield found


@contextlib.contextmanager
def running(segment, limits=LIMITS):
    with Service(("127.0.0.1", 0), segment, "toy", limits) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield found
        finally:
            found.shutdown()
            thread.join()


def ask(service, method, path, body=None, **headers):
    """The status, the headers and the content of an answer."""
    connection = http.client.HTTPConnection(*service.server_address[:2], timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def refused(service, *arguments, **headers):
    status, _, content = ask(service, *arguments, **headers)
    return status, json.loads(content)["error"]


def png(pixels):
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def labels_of(content):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(json.loads(content)["labels"]))))


def test_an_image_comes_back_as_labels_and_shares(service, photo):
    expected = Segmenter("net.prototxt", "net.caffemodel")(photo)
    status, headers, content = ask(service, "POST", "/segment", Path("photo.png").read_bytes())
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert np.array_equal(labels_of(content), expected.labels)
    assert json.loads(content)["shares"] == pytest.approx(expected.share())
    status, headers, content = ask(service, "POST", "/overlay", Path("photo.png").read_bytes())
    assert (status, headers["Content-Type"]) == (200, "image/png")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), np.asarray(expected.overlay()))


def test_the_net_is_described_to_the_page(service):
    values = json.loads(ask(service, "GET", "/net")[2])
    assert [each["name"] for each in values["classes"]] == ["class 0", "class 1", "class 2"]
    assert values["classes"][1]["colour"] == [128, 0, 0]
    assert (values["background"], values["most_bytes"]) == (0, LIMITS.size)


def test_photos_are_seen_upright_and_large_ones_scaled_down(service):
    pixels = np.random.default_rng(1).integers(0, 256, (500, 300, 3), dtype=np.uint8)
    content, turned = io.BytesIO(), Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(pixels).save(content, "JPEG", quality=30, exif=turned)
    values = json.loads(ask(service, "POST", "/segment", content.getvalue())[2])
    assert (values["width"], values["height"]) == (400, 240)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 415, "no image that can be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", 415, "no image that can be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "Send one of JPEG, PNG"),
        (png(np.zeros((60, 60, 3), np.uint8))[:60], 400, "The image is damaged"),
        (png(np.zeros((1000, 1000, 3), np.uint8)), 413, "1000 × 1000 pixels, at most 400,000 are taken"),
        (b"x" * 300_001, 413, "300,001 bytes, at most 300,000 are taken"),
    ],
)
def test_what_is_no_image_to_segment_is_refused_in_words(service, body, status, said):
    found, words = refused(service, "POST", "/segment", body)
    assert (found, said in words) == (status, True), words
    assert ask(service, "POST", "/segment", Path("photo.png").read_bytes())[0] == 200


def test_a_huge_upload_is_refused_before_it_is_read(service):
    connection = http.client.HTTPConnection(*service.server_address[:2], timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.putrequest("POST", "/segment")
        connection.putheader("Content-Length", str(10**15))
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 413
        assert "1,000,000,000,000,000 bytes" in json.loads(answer.read())["error"]


def test_an_upload_without_a_length_is_refused(service):
    assert refused(service, "POST", "/segment", iter([b"abc"]), **{"Transfer-Encoding": "chunked"})[0] == 411
    assert refused(service, "POST", "/segment", None, **{"Content-Length": "-1"})[0] == 411


def test_an_upload_that_is_cut_off_is_refused(service):
    connection = http.client.HTTPConnection(*service.server_address[:2], timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.putrequest("POST", "/segment")
        connection.putheader("Content-Length", "1000")
        connection.endheaders(b"abc")
        connection.sock.shutdown(1)
        answer = connection.getresponse()
        assert (answer.status, "cut off" in answer.read().decode()) == (400, True)


def test_wrong_places_and_methods_are_told(service):
    assert refused(service, "GET", "/nothing") == (404, "There is nothing at /nothing. The page is at /.")
    assert refused(service, "POST", "/nothing", b"")[0] == 404
    status, headers, content = ask(service, "GET", "/segment")
    assert (status, headers["Allow"]) == (405, "POST")
    assert "takes POST" in json.loads(content)["error"]
    assert ask(service, "POST", "/", b"")[1]["Allow"] == "GET"
    assert ask(service, "DELETE", "/")[0] == 501
    assert ask(service, "GET", "/?again")[0] == 200


def test_a_page_elsewhere_does_not_reach_a_service_of_this_machine(service):
    assert refused(service, "GET", "/net", Host="evil.example")[0] == 421
    for host in ("localhost", "localhost:8000", "127.0.0.1:9", "[::1]:8000"):
        assert ask(service, "GET", "/net", Host=host)[0] == 200


def test_several_at_once_each_get_their_own_labels(service):
    rng = np.random.default_rng(2)
    photos = [rng.integers(0, 256, (40 + index, 60, 3), dtype=np.uint8) for index in range(12)]
    alone = Segmenter("net.prototxt", "net.caffemodel")

    def sent(pixels):
        while True:
            status, headers, content = ask(service, "POST", "/segment", png(pixels))
            if status == 200:
                return labels_of(content)
            assert (status, headers["Retry-After"]) == (503, "2")

    with ThreadPoolExecutor(6) as pool:
        for pixels, found in zip(photos, pool.map(sent, photos), strict=True):
            assert np.array_equal(found, alone(pixels).labels)


def test_too_many_at_once_are_told_to_wait(photo):
    begun, go_on = threading.Event(), threading.Event()
    segment = Segmenter("net.prototxt", "net.caffemodel")

    class Slow:
        legend, upright, n_classes = segment.legend, segment.upright, segment.n_classes

        def __call__(self, image):
            begun.set()
            assert go_on.wait(PATIENCE)
            return segment(image)

    with running(Slow(), Limits(waiting=1)) as service, ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, service, "POST", "/segment", png(photo))
        assert begun.wait(PATIENCE)
        assert refused(service, "POST", "/segment", png(photo))[0] == 503
        go_on.set()
        assert first.result()[0] == 200


def test_a_net_that_fails_is_told_and_the_next_image_is_taken(service, monkeypatch, photo, capsys):
    def fails(image):
        raise RuntimeError("layer 'conv': out of memory")

    working = service.segment
    monkeypatch.setattr(type(working), "__call__", lambda self, image: fails(image))
    assert refused(service, "POST", "/segment", png(photo)) == (500, "The net failed: layer 'conv': out of memory")
    monkeypatch.undo()
    assert ask(service, "POST", "/segment", png(photo))[0] == 200


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP"])
def test_damaged_images_of_every_kind_are_refused_or_read(kind, photo):
    content = io.BytesIO()
    Image.fromarray(photo).save(content, kind)
    whole, rng = content.getvalue(), np.random.default_rng(3)
    assert picture(whole, LIMITS, upright=True).size == (140, 90)
    for _ in range(60):
        damaged = bytearray(whole[: rng.integers(1, len(whole) + 1)])
        damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
        assert seen(bytes(damaged)) in ("RGB", 400, 413, 415)


def seen(content):
    """The mode of the picture in a file, or the status that refuses it."""
    try:
        return picture(content, LIMITS, upright=True).mode
    except Refused as error:
        return error.status


def test_wrong_options_and_a_taken_port_are_told(service, capsys):
    with pytest.raises(SystemExit):
        serve.main(["net", "--port", "70000"])
    assert "--port is 0 to 65535" in capsys.readouterr().err
    assert serve.main(["nothing"]) == 1
    assert "nothing: no such variant or task" in capsys.readouterr().err


def test_the_command_serves_until_it_is_interrupted(photo):
    (folder := Path("models/toy")).mkdir(parents=True)
    Path("net.prototxt").rename(folder / "deploy.prototxt")
    Path("net.caffemodel").rename(folder / "train_iter_1.caffemodel")
    classes = {"score": {"count": 3, "names": ["background", "sea", "rock"], "colours": {"1": [0, 0, 255]}}}
    values = {"name": "toy", "inputs": {"data": 3}, "sees": ["color"], "mean": [0, 0, 0], "upright": True}
    (folder / "trained.json").write_text(json.dumps({**values, "classes": classes}))
    command = [sys.executable, str(ROOT / "tools/serve.py"), "models/toy", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        line = process.stdout.readline()
        assert line.startswith("toy: http://127.0.0.1:")
        connection = http.client.HTTPConnection("127.0.0.1", int(line.split(":")[3].split("/")[0]), timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("POST", "/segment", Path("photo.png").read_bytes())
            assert set(json.loads(connection.getresponse().read())["shares"]) <= {"background", "sea", "rock"}
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
        assert "ended" in process.stdout.read()
    finally:
        process.kill()
        process.wait()


def test_a_person_uses_the_page(service, photo):
    expected = Segmenter("net.prototxt", "net.caffemodel")(photo)
    other = np.full((60, 60, 3), 200, np.uint8)
    Image.fromarray(other).save("other.png")
    Path("damaged.png").write_bytes(Path("photo.png").read_bytes()[:80])
    Path("huge.png").write_bytes(bytes(400_000))
    with browser(1200, 800) as window:
        window.open(f"http://127.0.0.1:{service.server_address[1]}/")
        window.wait("document.title == 'toy'")
        window.choose("#file", "photo.png")
        window.wait("document.querySelectorAll('.row').length > 0 && !byId('stage').hidden")
        names = window.run("[...document.querySelectorAll('.row .name')].map((each) => each.textContent)")
        assert names == list(expected.share())
        assert pixels_of(window) == pytest.approx(np.asarray(expected.overlay()), abs=2)

        window.run("byId('opacity').value = 0; byId('opacity').oninput()")
        assert pixels_of(window) == pytest.approx(photo, abs=1)
        window.run("byId('opacity').value = 100; byId('opacity').oninput()")
        painted = np.where(expected.labels[..., None] > 0, expected.colours[expected.labels], photo)
        assert pixels_of(window) == pytest.approx(painted, abs=1)

        window.click(".row[data-number='1'] input")
        painted[expected.labels == 1] = photo[expected.labels == 1]
        assert pixels_of(window) == pytest.approx(painted, abs=1)

        left, top, width, height = window.place("#canvas")
        for x, y in ((3, 3), (77, 45), (135, 85)):
            window.point(left + (x + 0.5) * width / 140, top + (y + 0.5) * height / 90)
            window.wait(f"byId('label').textContent == 'class {expected.labels[y, x]}' && !byId('label').hidden")

        window.choose("#file", "damaged.png", "huge.png", "other.png")
        window.wait("items.length == 4 && items.every((each) => each.state == 'done' || each.state == 'refused')")
        assert window.run("items.map((each) => each.state)") == ["done", "refused", "refused", "done"]
        said = window.run("items.map((each) => each.error)")
        assert "The image is damaged" in said[1]
        assert "400,000 bytes, at most 300,000 are taken" in said[2]
        window.wait("byId('canvas').width == 60")
        window.click("#items li:nth-child(2) button")
        assert "damaged.png" in window.run("byId('error').textContent")
        window.click("#items li:nth-child(1) button")
        assert window.run("byId('canvas').width") == 140
        assert window.run("byId('error').hidden")
        assert window.errors == []
        assert {each.split("/")[2] for each in window.asked if each.startswith("http")} == {
            f"127.0.0.1:{service.server_address[1]}"
        }
        for theme in ("light", "dark"):
            window.theme(theme)
            window.screenshot(f"{theme}.png")


def test_two_windows_at_once_each_see_their_own_image(service, photo):
    Image.fromarray(photo[::-1].copy()).save("other.png")
    with browser() as one, browser() as two:
        for window, file in ((one, "photo.png"), (two, "other.png")):
            window.open(f"http://127.0.0.1:{service.server_address[1]}/")
            window.wait("document.title == 'toy'")
            window.choose("#file", file)
        for window, file in ((one, "photo.png"), (two, "other.png")):
            window.wait("current !== null")
            expected = Segmenter("net.prototxt", "net.caffemodel")(file)
            assert window.run("[...current.labels]") == expected.labels.ravel().tolist()


def pixels_of(window):
    """What the page's canvas shows, height×width×3."""
    values = window.run(
        "(() => { const c = byId('canvas'); return [c.width, c.height, "
        "[...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]]; })()"
    )
    width, height, data = values
    return np.array(data, np.uint8).reshape(height, width, 4)[..., :3]


def test_pictures_of_16_bits_are_scaled_and_those_of_floats_refused(photo):
    deep = np.random.default_rng(3).integers(0, 1 << 16, (9, 14)).astype(np.uint16)
    found = picture(png(deep), LIMITS, True)
    assert np.array_equal(np.asarray(found)[..., 1], np.round(deep / 257))
    content = io.BytesIO()
    Image.new("F", (4, 4)).save(content, "TIFF")
    with pytest.raises(Refused, match="The image has floating-point values") as error:
        picture(content.getvalue(), LIMITS, True)
    assert error.value.status == 415


def test_an_image_of_hundreds_of_megapixels_is_told_to_be_too_large(photo, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    with pytest.raises(Refused, match="too many pixels, at most 400,000 are taken") as error:
        picture(png(np.zeros((20, 20), np.uint8)), LIMITS, True)
    assert error.value.status == 413


def test_methods_of_no_kind_here_are_refused_as_json(service):
    assert refused(service, "PUT", "/segment", b"x") == (
        501,
        "Unsupported method ('PUT'). The page is at /, and images are sent by POST.",
    )
    status, headers, content = ask(service, "HEAD", "/net")
    assert (status, headers["Content-Type"], content) == (501, "application/json", b"")
    with contextlib.closing(socket.create_connection(service.server_address[:2], PATIENCE)) as line:
        line.sendall(b"nonsense\r\n\r\n")
        assert b'{"error": "Bad ' in line.makefile("rb").read()
