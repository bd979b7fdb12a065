//! Photos and tensor files become network input, whatever their kind, and damaged ones end in a sentence.

use std::fs;
use std::path::{Path, PathBuf};

use aliascope::input::{InputError, Interpolation, METADATA_KEY, Photo, PhotoNote, Preprocessing, Source, read_photo};
use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba};
use ndarray::{Array3, Axis};
use safetensors::tensor::{Dtype, TensorView, serialize_to_file};
use tempfile::TempDir;

/// Eight bits hold v to within half a level; resizing rounds once more.
const ONE_LEVEL: f64 = 1.0 / 255.0;

fn saved(image: impl Into<DynamicImage>, name: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    image.into().save(&path).unwrap();
    (folder, path)
}

fn raw(path: &Path, size: [usize; 3]) -> Photo {
    read_photo(path, &Preprocessing::raw(), size).unwrap()
}

fn refusal(path: &Path) -> String {
    let message = read_photo(path, &Preprocessing::raw(), [3, 8, 8]).unwrap_err().to_string();
    assert!(message.starts_with(&path.display().to_string()), "{message}");
    message
}

fn ramp() -> RgbImage {
    RgbImage::from_fn(8, 8, |x, y| Rgb([16 * x as u8, 16 * y as u8, 100]))
}

fn close(a: &Array3<f64>, b: &Array3<f64>, tolerance: f64) {
    assert_eq!(a.dim(), b.dim());
    let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst <= tolerance, "differ by {worst}");
}

#[test]
fn a_photo_of_the_inputs_size_is_itself() {
    let (_folder, path) = saved(ramp(), "ramp.png");
    let photo = raw(&path, [3, 8, 8]);
    assert!(photo.notes.is_empty(), "{:?}", photo.notes);
    let expected = Array3::from_shape_fn((3, 8, 8), |(c, y, x)| {
        f64::from((f64::from(ramp().get_pixel(x as u32, y as u32)[c]) / 255.0) as f32)
    });
    close(&photo.data, &expected, 0.0);
}

#[test]
fn normalisation_is_scale_mean_std_per_channel() {
    let (_folder, path) = saved(RgbImage::from_pixel(8, 8, Rgb([255, 127, 0])), "flat.png");
    let lite =
        Preprocessing::from_metadata(r#"{"mean": [127, 127, 127], "std": [128, 128, 128], "scale": 255}"#).unwrap();
    let data = read_photo(&path, &lite, [3, 4, 4]).unwrap().data;
    for (c, expected) in [1.0, 0.0, -127.0 / 128.0].into_iter().enumerate() {
        assert_eq!(data[[c, 2, 1]], expected);
    }
    let half = read_photo(&path, &Preprocessing::half(), [3, 4, 4]).unwrap().data;
    assert_eq!((half[[0, 0, 0]], half[[2, 0, 0]]), (1.0, -1.0));
}

#[test]
fn the_centre_is_cropped() {
    // Red left and right of a green square; only the square is inside the crop.
    let wide = RgbImage::from_fn(24, 8, |x, _| if (8..16).contains(&x) { Rgb([0, 255, 0]) } else { Rgb([255, 0, 0]) });
    let (_folder, path) = saved(wide, "wide.png");
    let data = raw(&path, [3, 4, 4]).data;
    assert!(data.indexed_iter().all(|((c, _, _), &v)| v == f64::from(u8::from(c == 1))));
}

#[test]
fn resizing_keeps_what_is_constant_and_what_is_linear() {
    let (_folder, path) = saved(RgbImage::from_fn(64, 64, |x, _| Rgb([4 * x as u8, 90, 90])), "linear.png");
    for interpolation in [Interpolation::Bicubic, Interpolation::Bilinear, Interpolation::Lanczos] {
        let preprocessing = Preprocessing { interpolation, ..Preprocessing::raw() };
        let data = read_photo(&path, &preprocessing, [3, 16, 16]).unwrap().data;
        // Pixel x of 16 covers pixels 4x to 4x + 3 of 64, whose centre is 4x + 1.5; edges see the mirror-less border.
        for x in 2..14 {
            let expected = 4.0 * (4.0 * x as f64 + 1.5) / 255.0;
            assert!((data[[0, 7, x]] - expected).abs() <= ONE_LEVEL, "{interpolation:?} {x}");
            assert!((data[[1, 7, x]] - 90.0 / 255.0).abs() <= 1e-7, "single precision of 90/255");
        }
    }
}

/// Of tests/fixtures/placed.safetensors, `[3, rows, columns]` in levels.
fn placed() -> Vec<(String, Array3<u8>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/placed.safetensors");
    let bytes = fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let entry = |(name, pixels): (String, TensorView<'_>)| {
        let &[rows, columns, 3] = pixels.shape() else { panic!("{name}") };
        let level = |(c, y, x)| pixels.data()[3 * (y * columns + x) + c];
        (name.clone(), Array3::from_shape_fn((3, rows, columns), level))
    };
    file.tensors().into_iter().map(entry).collect()
}

#[test]
fn photos_are_brought_to_size_as_torchvision_and_letterboxes_do() {
    let all = placed();
    let folder = tempfile::tempdir().unwrap();
    let mut tried = 0;
    for (name, expected) in &all {
        let &[placement, interpolation, photo] = &name.split('/').collect::<Vec<_>>()[..] else { continue };
        let pixels = &all.iter().find(|(name, _)| name == photo).unwrap().1;
        let (_, rows, columns) = pixels.dim();
        let path = folder.path().join(format!("{photo}.png"));
        RgbImage::from_fn(columns as u32, rows as u32, |x, y| {
            Rgb([0, 1, 2].map(|c| pixels[[c, y as usize, x as usize]]))
        })
        .save(&path)
        .unwrap();
        let how = match placement.split('-').collect::<Vec<_>>()[..] {
            ["resize", shorter, _] => format!("resize={shorter}"),
            _ => "letterbox".to_owned(),
        };
        let preprocessing: Preprocessing = format!("{how},scale=255,interpolation={interpolation}").parse().unwrap();
        let (_, rows, columns) = expected.dim();
        let photo = read_photo(&path, &preprocessing, [3, rows, columns]).unwrap();
        // The nearest pixel and padding are exact; Pillow rounds to levels between rows and columns as well.
        let allowed = if interpolation == "nearest" { 0.0 } else { 1.0 };
        let worst = photo.data.iter().zip(expected).map(|(a, &b)| (a - f64::from(b)).abs()).fold(0.0, f64::max);
        assert!(worst <= allowed, "{name}: {worst} levels");
        let blue_first = Preprocessing { bgr: true, ..preprocessing };
        let turned = read_photo(&path, &blue_first, [3, rows, columns]).unwrap().data;
        assert!((0..3).all(|c| turned.index_axis(Axis(0), c) == photo.data.index_axis(Axis(0), 2 - c)), "{name}");
        tried += 1;
    }
    assert_eq!(tried, 48);
}

#[test]
fn mean_std_and_the_photos_units_follow_the_colours() {
    let (_folder, path) = saved(RgbImage::from_pixel(8, 8, Rgb([255, 51, 0])), "flat.png");
    let bgr: Preprocessing = "mean=0.5/0.25/0.125,std=0.5/0.25/2,bgr".parse().unwrap();
    let data = read_photo(&path, &bgr, [3, 4, 4]).unwrap().data;
    // Blue (0 − 0.125)/2, green (0.2 − 0.25)/0.25, red (1 − 0.5)/0.5, in single precision.
    for (c, expected) in [-0.0625, -0.2, 1.0].into_iter().enumerate() {
        assert!((data[[c, 1, 2]] - expected).abs() <= 1e-7, "{c}");
    }
    assert_eq!(bgr.pixel_scale(3), [2.0, 0.25, 0.5]);
    assert_eq!(Preprocessing { bgr: false, ..bgr.clone() }.pixel_scale(3), [0.5, 0.25, 2.0]);
    let levels: Preprocessing = "std=58/57/51,scale=255,bgr,letterbox".parse().unwrap();
    let expected = [51.0 / 255.0, 57.0 / 255.0, 58.0 / 255.0];
    assert!(levels.pixel_scale(3).iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-15));
    let words = bgr.describe();
    assert!(words.contains("blue green red") && words.contains("mean [0.5, 0.25, 0.125]"), "{words}");
}

#[test]
fn a_photo_resized_to_less_than_the_input_is_refused() {
    let (_folder, path) = saved(ramp(), "ramp.png");
    let small: Preprocessing = "resize=9".parse().unwrap();
    let message = read_photo(&path, &small, [3, 8, 10]).unwrap_err().to_string();
    assert!(message.contains("resize=9") && message.contains("10×8") && message.contains("at least 10"), "{message}");
    assert!(read_photo(&path, &small, [3, 9, 8]).is_ok());
    // The larger input of the same part of the photo: ⌈9·13/9⌉.
    assert_eq!(small.for_larger(9, 13).resize, Some(13));
}

#[test]
fn every_kind_of_pixel_becomes_colour_and_says_so() {
    let value = 40u8;
    let deep = u16::from(value) * 257 + 1;
    let gray = GrayImage::from_pixel(8, 8, Luma([value]));
    let gray_alpha: ImageBuffer<LumaA<u8>, Vec<u8>> = ImageBuffer::from_pixel(8, 8, LumaA([value, 7]));
    let rgba: ImageBuffer<Rgba<u8>, Vec<u8>> = ImageBuffer::from_pixel(8, 8, Rgba([value, value, value, 0]));
    let deep_gray: ImageBuffer<Luma<u16>, Vec<u16>> = ImageBuffer::from_pixel(8, 8, Luma([deep]));
    let deep_rgb: ImageBuffer<Rgb<u16>, Vec<u16>> = ImageBuffer::from_pixel(8, 8, Rgb([deep; 3]));
    use PhotoNote::{Alpha, Deep, Greyscale};
    let cases: [(DynamicImage, f64, &[PhotoNote]); 5] = [
        (gray.into(), f64::from(value) / 255.0, &[Greyscale]),
        (gray_alpha.into(), f64::from(value) / 255.0, &[Greyscale, Alpha]),
        (rgba.into(), f64::from(value) / 255.0, &[Alpha]),
        (deep_gray.into(), f64::from(deep) / 65535.0, &[Greyscale, Deep]),
        (deep_rgb.into(), f64::from(deep) / 65535.0, &[Deep]),
    ];
    for (image, expected, notes) in cases {
        let (_folder, path) = saved(image, "kind.png");
        let photo = raw(&path, [3, 8, 8]);
        // Input is single precision: 2⁻²⁴ relative.
        assert!(photo.data.iter().all(|v| (v - expected).abs() <= 1e-8), "{notes:?}");
        assert_eq!(photo.notes, notes);
    }
}

#[test]
fn a_network_of_one_channel_gets_luma() {
    let (_folder, path) = saved(RgbImage::from_pixel(8, 8, Rgb([255, 0, 0])), "red.png");
    let photo = raw(&path, [1, 8, 8]);
    assert!(photo.data.iter().all(|v| (v - 0.299).abs() <= 1e-7), "the weight of red in BT.601, in single precision");
    assert_eq!(photo.notes, [PhotoNote::Brightness]);

    let (_folder, path) = saved(GrayImage::from_pixel(8, 8, Luma([51])), "gray.png");
    let photo = raw(&path, [1, 8, 8]);
    assert!(photo.data.iter().all(|v| (v - 0.2).abs() <= 1e-7), "51/255, in single precision");
    assert!(photo.notes.is_empty(), "{:?}", photo.notes);

    let error = read_photo(&path, &Preprocessing::raw(), [4, 8, 8]).unwrap_err();
    assert!(matches!(error, InputError::Channels { channels: 4 }));
}

#[test]
fn orientation_tags_are_obeyed() {
    let upright = RgbImage::from_fn(16, 16, |_, y| if y < 8 { Rgb([250, 250, 250]) } else { Rgb([5, 5, 5]) });
    let mut bytes = std::io::Cursor::new(Vec::new());
    DynamicImage::from(upright).write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
    let bytes = bytes.into_inner();
    // An Exif segment whose only entry is tag 0x0112, orientation, 3: turned by half a turn.
    let exif = b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("turned.jpg");
    fs::write(&path, [&bytes[..2], exif, &bytes[2..]].concat()).unwrap();
    let photo = raw(&path, [3, 16, 16]);
    assert!(photo.data[[0, 2, 8]] < 0.5 && photo.data[[0, 13, 8]] > 0.5);
    assert!(photo.notes.contains(&PhotoNote::Turned), "{:?}", photo.notes);
}

#[test]
fn what_cannot_be_decoded_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let (_kept, whole) = saved(ramp(), "whole.png");
    let whole = fs::read(whole).unwrap();
    assert!(refusal(&put("cut.png", &whole[..whole.len() / 2])).contains("cut off"));
    assert!(refusal(&put("empty.png", b"")).contains("empty"));
    assert!(refusal(&put("words.jpg", b"not an image at all")).contains("not a PNG or JPEG"));
    assert!(refusal(&folder.path().join("gone.png")).contains("cannot be read"));

    // A header that promises 60,000 × 60,000 pixels, and no pixels: 10 GB if it were believed.
    let mut bomb = whole.clone();
    bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let crc = crc32(&bomb[12..29]).to_be_bytes();
    bomb[29..33].copy_from_slice(&crc);
    assert!(refusal(&put("bomb.png", &bomb)).contains("too large"));

    let mut none = whole;
    none[16..24].fill(0);
    let crc = crc32(&none[12..29]).to_be_bytes();
    none[29..33].copy_from_slice(&crc);
    refusal(&put("none.png", &none));
}

/// A recorded photo: its name, its file, and what Pillow decodes of it, `[3, rows, columns]` in levels.
fn recorded() -> Vec<(String, Vec<u8>, Array3<f64>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/photos.safetensors");
    let bytes = fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let names = file.names();
    let mut names: Vec<_> = names.iter().filter_map(|name| name.strip_suffix("/file")).collect();
    names.sort_unstable();
    let entry = |name: &str| {
        let (content, pixels) = (file.tensor(&format!("{name}/file")), file.tensor(&format!("{name}/pixels")));
        let (content, pixels) = (content.unwrap(), pixels.unwrap());
        let &[rows, columns, 3] = pixels.shape() else { panic!("{name}") };
        let level = |(c, y, x)| f64::from(pixels.data()[3 * (y * columns + x) + c]);
        (name.to_owned(), content.data().to_vec(), Array3::from_shape_fn((3, rows, columns), level))
    };
    names.into_iter().map(entry).collect()
}

#[test]
fn photos_are_decoded_as_pillow_decodes_them_or_refused() {
    let refused = [
        ("apart-420.jpg", "scans of their own"),
        ("arithmetic.jpg", "arithmetically"),
        ("coarse-luma.jpg", "unusual subsampling"),
        ("one-coarse.jpg", "unusual subsampling"),
        ("thirds.jpg", "unusual subsampling"),
        ("unfinished.jpg", "scans of it are missing"),
    ];
    let levels = Preprocessing { scale: 255.0, ..Preprocessing::raw() };
    let folder = tempfile::tempdir().unwrap();
    let all = recorded();
    assert!(all.len() > 25);
    for (name, content, pixels) in all {
        let path = folder.path().join(&name);
        fs::write(&path, content).unwrap();
        let (_, rows, columns) = pixels.dim();
        let read = read_photo(&path, &levels, [3, rows, columns]);
        if let Some((_, words)) = refused.iter().find(|(refused, _)| *refused == name) {
            let message = read.unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
            continue;
        }
        // PNG is exact. Decoders of JPEG round the cosine transform, the colours and the chroma between samples each in
        // its own way, by a level each.
        let allowed = if name.ends_with(".png") { 0.0 } else { 3.0 };
        let photo = read.unwrap();
        let differences: Vec<f64> = photo.data.iter().zip(&pixels).map(|(a, b)| (a - b).abs()).collect();
        let worst = differences.iter().copied().fold(0.0, f64::max);
        let mean = differences.iter().sum::<f64>() / differences.len() as f64;
        assert!(worst <= allowed && mean < 0.5, "{name}: {worst} at most, {mean} on average");
        assert_eq!(photo.notes.contains(&PhotoNote::Animated), name == "animated.png", "{name}");
    }
}

#[test]
fn no_beginning_of_a_photo_is_a_photo() {
    let folder = tempfile::tempdir().unwrap();
    let whole = ["baseline-420.jpg", "progressive-420.jpg", "restarts.jpg", "grey.jpg", "bits.png", "palette.png"];
    for (name, content, pixels) in recorded().into_iter().filter(|(name, ..)| whole.contains(&name.as_str())) {
        let path = folder.path().join(&name);
        let (_, rows, columns) = pixels.dim();
        for length in 0..content.len() {
            // With the end marker put back, too, as programs do that repair; that of a JPEG is its last two bytes.
            for end in [&b""[..], b"\xff\xd9"] {
                if !end.is_empty() && (!name.ends_with("jpg") || length + 2 >= content.len()) {
                    continue;
                }
                let cut = [&content[..length], end].concat();
                fs::write(&path, &cut).unwrap();
                let read = read_photo(&path, &Preprocessing::raw(), [3, rows, columns]);
                assert!(read.is_err(), "{name}: {length} of {} bytes, then {end:?}", content.len());
            }
        }
    }
}

#[test]
fn images_of_other_formats_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for (start, format) in [
        (&b"RIFF\x10\0\0\0WEBPVP8 "[..], "WebP"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"II*\0\x08\0\0\0", "TIFF"),
        (b"GIF89a\x01\0", "GIF"),
        (b"BM\x10\0\0\0", "BMP"),
    ] {
        let path = folder.path().join("photo.jpg");
        fs::write(&path, start).unwrap();
        let message = refusal(&path);
        assert!(message.contains(&format!("this is a {format} image")) && message.contains("convert"), "{message}");
    }
}

#[test]
fn what_is_smaller_than_the_input_is_enlarged_and_says_so() {
    let (_folder, path) = saved(ramp(), "ramp.png");
    assert_eq!(raw(&path, [3, 8, 9]).notes, [PhotoNote::Enlarged { rows: 8, columns: 9 }]);
    assert!(raw(&path, [3, 8, 8]).notes.is_empty());
    let boxed: Preprocessing = "letterbox".parse().unwrap();
    let notes = |size| read_photo(&path, &boxed, size).unwrap().notes;
    assert_eq!(notes([3, 9, 12]), [PhotoNote::EnlargedWhole { rows: 9, columns: 12 }]);
    assert!(notes([3, 8, 12]).is_empty());
}

#[test]
fn folders_of_classes_are_searched_and_sampled() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["dog/b.png", "cat/z.jpg", "cat/deep/a.jpeg", "top.png", "cat/other.webp", ".cache/x.png"] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"").unwrap();
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path(), folder.path().join("dog/up")).unwrap();
    let open = || Source::open(&[folder.path().to_owned()], [3, 8, 8]).unwrap();
    let names = |source: &Source| -> Vec<String> {
        let name =
            |frame: &aliascope::input::Frame| frame.name()[folder.path().display().to_string().len() + 1..].into();
        source.frames().iter().map(name).collect()
    };
    let all = ["cat/deep/a.jpeg", "cat/z.jpg", "dog/b.png", "top.png"];
    assert_eq!(names(&open()), all);
    assert_eq!(open().skipped(), [folder.path().join("cat/other.webp")]);

    let drawn = |limit, seed| {
        let mut source = open();
        source.sample(limit, seed);
        names(&source)
    };
    assert_eq!(drawn(9, 0), all);
    assert_eq!(drawn(2, 1), drawn(2, 1));
    let of_two: std::collections::BTreeSet<_> = (0..50).map(|seed| drawn(2, seed)).collect();
    assert_eq!(of_two.len(), 6, "every pair is drawn, each in the order of the folder");
}

/// PNG's checksum of a chunk.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[test]
fn folders_are_listed_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b.png", "a.JPG", "c.jpeg"] {
        fs::write(folder.path().join(name), b"").unwrap();
    }
    fs::write(folder.path().join("LICENSES.md"), b"").unwrap();
    fs::create_dir(folder.path().join("album.png")).unwrap();
    let source = Source::open(&[folder.path().to_owned()], [3, 8, 8]).unwrap();
    let names: Vec<_> = source.frames().iter().map(|frame| frame.name()).collect();
    let expected = ["a.JPG", "b.png", "c.jpeg"].map(|name| folder.path().join(name).display().to_string());
    assert_eq!(names, expected);

    let bare = tempfile::tempdir().unwrap();
    let error = Source::open(&[bare.path().to_owned()], [3, 8, 8]).unwrap_err().to_string();
    assert!(error.contains("no .png"), "{error}");
}

fn tensor_file(folder: &Path, key: &str, dtype: Dtype, shape: &[usize], data: &[u8]) -> PathBuf {
    let path = folder.join("x.safetensors");
    let view = TensorView::new(dtype, shape.to_vec(), data).unwrap();
    serialize_to_file([(key, view)], None, &path).unwrap();
    path
}

#[test]
fn tensors_are_taken_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let values: Vec<f32> = (0..24).map(|i| i as f32 / 7.0 - 1.0).collect();
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let path = tensor_file(folder.path(), "x", Dtype::F32, &[2, 3, 2, 2], &bytes);
    let source = Source::open(std::slice::from_ref(&path), [3, 2, 2]).unwrap();
    assert!(!source.has_photos());
    let frames = source.frames();
    assert_eq!(frames.len(), 2);
    assert_eq!(frames[1].name(), format!("{}[1]", path.display()));
    let (data, notes) = source.read(&frames[1], &Preprocessing::imagenet()).unwrap();
    let expected: Vec<f64> = values[12..].iter().map(|&v| f64::from(v)).collect();
    assert_eq!((data.into_raw_vec_and_offset().0, notes.len()), (expected, 0));
}

#[test]
fn other_tensors_are_refused() {
    let bytes = [0; 48];
    let cases: [(&str, Dtype, &[usize], &str); 5] = [
        ("images", Dtype::F32, &[1, 3, 2, 2], "'images'"),
        ("x", Dtype::I32, &[1, 3, 2, 2], "I32"),
        ("x", Dtype::F32, &[3, 2, 2], "[3, 2, 2]"),
        ("x", Dtype::F32, &[1, 2, 3, 2], "[1, 2, 3, 2]"),
        ("x", Dtype::F32, &[0, 3, 2, 2], "[0, 3, 2, 2]"),
    ];
    for (key, dtype, shape, word) in cases {
        let folder = tempfile::tempdir().unwrap();
        let entries: usize = shape.iter().product();
        let path = tensor_file(folder.path(), key, dtype, shape, &bytes[..4 * entries]);
        let message = Source::open(&[path], [3, 2, 2]).unwrap_err().to_string();
        for part in [word, "key 'x'", "[N, 3, 2, 2]"] {
            assert!(message.contains(part), "{message}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.safetensors");
    for bytes in [&b""[..], b"\xff\xff\xff\xff\xff\xff\xff\x7f", b"words"] {
        fs::write(&path, bytes).unwrap();
        assert!(Source::open(std::slice::from_ref(&path), [3, 2, 2]).unwrap_err().to_string().contains("safetensors"));
    }
}

#[test]
fn metadata_that_makes_no_sense_is_refused() {
    for json in [
        "",
        "[]",
        r#"{"mean": [0], "std": [0]}"#,
        r#"{"mean": [0, 0], "std": [1]}"#,
        r#"{"mean": [0], "std": [1], "crop": 0}"#,
        r#"{"mean": [0], "std": [1], "scale": -1}"#,
        r#"{"mean": [0], "std": [1], "interpolation": "hamming"}"#,
        r#"{"mean": [0], "std": [1], "crop": 0.5, "resize": 256}"#,
        r#"{"mean": [0], "std": [1], "resize": 256, "letterbox": true}"#,
        r#"{"mean": [0], "std": [1], "resize": 0}"#,
        r#"{"mean": [0], "std": [1], "resize": -1}"#,
        r#"{"mean": [0], "std": [1], "gamma": 2}"#,
    ] {
        let message = Preprocessing::from_metadata(json).unwrap_err().to_string();
        assert!(message.contains(METADATA_KEY) && message.contains("--preprocess"), "{message}");
    }
}
