//! Figures: files of the promised format and size, with the promised labels, for degenerate results too.

use aliascope_core::figure::{
    Area, Figure, FigureError, Format, LeeFigure, LeePart, Look, TangentsFigure, render, render_as, style,
};
use aliascope_core::measure::output::ActionChoice;
use aliascope_core::measure::run::Lie;
use aliascope_core::symmetry::{Generator, MEASURED, Units};
use ndarray::Array3;
use plotters::backend::DrawingBackend;
use plotters::element::{BitMapElement, Circle, PathElement, Rectangle};
use plotters::style::{Color, FontTransform};

use crate::samples::lee;

/// The figure's PNG, kept for a look at it in the folder that `ALIASCOPE_KEEP_FIGURES` names.
fn png(figure: &impl Figure, name: &str) -> Vec<u8> {
    let bytes = render(figure, Format::Png).unwrap();
    if let Some(folder) = std::env::var_os("ALIASCOPE_KEEP_FIGURES") {
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), &bytes).unwrap();
    }
    let picture = image::load_from_memory_with_format(&bytes, image::ImageFormat::Png).unwrap();
    let (width, height) = figure.size();
    assert_eq!((picture.width(), picture.height()), (2 * width, 2 * height));
    bytes
}

fn svg(figure: &impl Figure) -> String {
    String::from_utf8(render(figure, Format::Svg).unwrap()).unwrap()
}

/// One of everything that the figures draw.
struct Sampler;

impl Figure for Sampler {
    fn size(&self) -> (u32, u32) {
        (400, 300)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        root.draw_text("θ π σ λ ∂x ∇h ‖Lf‖² ≤ 10⁻³", &style::title(), (10, 10))?;
        root.draw_text("label", &style::label(), (10, 50))?;
        root.draw_text("upwards", &style::axis().transform(FontTransform::Rotate270), (10, 290))?;
        root.draw(&Rectangle::new([(60, 80), (160, 180)], style::SERIES[0].filled()))?;
        root.draw(&Rectangle::new([(60, 80), (160, 180)], style::INK.stroke_width(3)))?;
        root.draw(&Circle::new((250, 130), 40, style::SERIES[1].stroke_width(2)))?;
        root.draw(&PathElement::new(vec![(60, 280), (390, 200)], style::INK))?;
        let pixels: Vec<u8> = (0..48 * 48 * 3).map(|i| (i % 144) as u8).collect();
        root.draw(&BitMapElement::with_owned_buffer((320, 80), (48, 48), pixels).expect("48 * 48 * 3 bytes"))?;
        Ok(())
    }
}

#[test]
fn a_png_has_twice_the_size_and_dark_and_white_pixels() {
    let bytes = png(&Sampler, "sampler");
    let picture = image::load_from_memory_with_format(&bytes, image::ImageFormat::Png).unwrap().to_luma8();
    assert_eq!(picture.dimensions(), (800, 600));
    assert_eq!(picture.get_pixel(799, 599).0, [255]);
    // Inside the filled square.
    assert!(picture.get_pixel(220, 260).0[0] < 100);
    // Text alone lies in this band.
    let band = image::imageops::crop_imm(&picture, 20, 20, 600, 40).to_image();
    assert!(band.pixels().any(|pixel| pixel.0[0] < 100), "no text was drawn");
}

#[test]
fn an_svg_keeps_text_as_text() {
    let text = String::from_utf8(render(&Sampler, Format::Svg).unwrap()).unwrap();
    assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>"));
    assert!(text.contains("∂x ∇h ‖Lf‖²"));
    assert!(text.contains("data:image/png;base64,"));
}

#[test]
fn the_extension_names_the_format() {
    assert_eq!(Format::from_path("a/b.SVG").unwrap(), Format::Svg);
    assert_eq!(Format::from_path("b.png").unwrap(), Format::Png);
    assert_eq!(Format::from_path("b.pdf").unwrap(), Format::Pdf);
    for path in ["b.gif", "b", "png"] {
        let message = Format::from_path(path).unwrap_err().to_string();
        assert!(message.contains("end it in .svg, .png or .pdf"), "{message}");
    }
}

#[test]
fn the_lee_figure_names_what_it_shows() {
    let report = lee::classifier();
    png(&LeeFigure(&report), "lee");
    let text = svg(&LeeFigure(&report));
    for label in ["efficientnet_lite0.onnx", "20 images", "spectral derivative", "translate_x", "hyperbolic", "λ₆"] {
        assert!(text.contains(label), "{label}");
    }
    assert!(text.contains("geometric mean, 95 % interval"));
    assert!(text.contains("0.71 stretch_x"));
}

#[test]
fn degenerate_reports_have_figures() {
    let mut report = lee::degenerate();
    png(&LeeFigure(&report), "lee_degenerate");
    report.generators.clear();
    png(&LeeFigure(&report), "lee_empty");
    // One direction, over generators that do nothing.
    report.symmetry_spectrum = lee::classifier().symmetry_spectrum[..1].to_vec();
    report.symmetry_spectrum[0].eigenvalue = -1e-18;
    png(&LeeFigure(&report), "lee_one_direction");
}

#[test]
fn long_names_and_combinations_stay_inside() {
    let mut report = lee::classifier();
    report.run.model.path = format!("{}\u{7}<&>.onnx", "m".repeat(300));
    report.run.lie = Some(Lie { units: Units::Pixel, ..Lie::default() });
    report.run.output.as_mut().unwrap().action = ActionChoice::Image;
    let asked = report.generators["rotate"].clone();
    for name in ["rotate+0.5*saturate-1.25*hyperbolic", "2*scale", "shear_x+shear_y", "translate_x+translate_y"] {
        report.generators.insert(name.to_owned(), asked.clone());
    }
    png(&LeeFigure(&report), "lee_long");
    let text = svg(&LeeFigure(&report));
    assert!(text.contains('…') && !text.contains('\u{7}'));
}

#[test]
fn numbers_without_a_place_are_an_error() {
    let mut report = lee::classifier();
    report.generators["rotate"].lee = f64::NAN;
    assert!(matches!(render(&LeeFigure(&report), Format::Svg), Err(FigureError::NotFinite(_))));
}

/// Central differences of `picture`, [channels, rows, columns], in half-widths.
fn tangents(picture: &Array3<f32>) -> Vec<(Generator, Array3<f32>)> {
    let (_, rows, columns) = picture.dim();
    let at = |i: usize, n: usize| (2.0 * i as f32 + 1.0) / n as f32 - 1.0;
    let gradient = |c: usize, i: usize, j: usize| {
        let (left, right) = (j.saturating_sub(1), (j + 1).min(columns - 1));
        let (up, down) = (i.saturating_sub(1), (i + 1).min(rows - 1));
        let dx = (picture[[c, i, right]] - picture[[c, i, left]]) * columns as f32 / 4.0;
        let dy = (picture[[c, down, j]] - picture[[c, up, j]]) * rows as f32 / 4.0;
        [dx, dy]
    };
    let along = |generator: Generator| {
        Array3::from_shape_fn(picture.dim(), |(c, i, j)| {
            let [vx, vy] = generator.field([f64::from(at(j, columns)), f64::from(at(i, rows))]);
            let [dx, dy] = gradient(c, i, j);
            if generator == Generator::Saturate { picture[[c, i, j]] } else { vx as f32 * dx + vy as f32 * dy }
        })
    };
    MEASURED.into_iter().map(|generator| (generator, along(generator))).collect()
}

fn tangents_figure(picture: Array3<f32>) -> TangentsFigure {
    TangentsFigure {
        name: "picture.png".to_owned(),
        conditions: "central derivative, reflect boundary, t in half-widths".to_owned(),
        tangents: tangents(&picture),
        image: picture,
    }
}

#[test]
fn the_tangents_figure_names_generators_and_formulas() {
    // A photo for a look at the figure, rings where none is named.
    let picture = match std::env::var_os("ALIASCOPE_PHOTO") {
        Some(path) => {
            let photo = image::open(path).unwrap().resize_to_fill(224, 224, image::imageops::FilterType::Triangle);
            let photo = photo.to_rgb8();
            Array3::from_shape_fn((3, 224, 224), |(c, i, j)| {
                f32::from(photo.get_pixel(j as u32, i as u32).0[c]) / 127.5 - 1.0
            })
        }
        None => Array3::from_shape_fn((3, 64, 48), |(c, i, j)| {
            ((i as f32 - 32.0).hypot(j as f32 - 24.0) / (2.0 + c as f32)).cos()
        }),
    };
    let figure = tangents_figure(picture);
    png(&figure, "tangents");
    let text = svg(&figure);
    for generator in MEASURED {
        assert!(text.contains(&format!("{generator}:  {}", generator.formula())), "{generator}");
    }
    assert_eq!(text.matches("<image").count(), 8);
}

#[test]
fn tangents_of_degenerate_pictures_have_figures() {
    for shape in [(1, 1, 1), (3, 2, 700), (1, 300, 20)] {
        png(&tangents_figure(Array3::from_elem(shape, 0.5)), "tangents_degenerate");
    }
}

#[test]
fn tangents_that_do_not_fit_are_an_error() {
    let message = |figure: &TangentsFigure| render(figure, Format::Png).unwrap_err().to_string();
    let mut figure = tangents_figure(Array3::zeros((3, 4, 4)));
    figure.tangents[2].1 = Array3::zeros((3, 4, 5));
    assert!(message(&figure).contains("the tangent of stretch_x has the shape [3, 4, 5]"));
    assert!(message(&tangents_figure(Array3::zeros((2, 4, 4)))).contains("[2, 4, 4]"));
    assert!(message(&tangents_figure(Array3::from_elem((1, 4, 4), f32::NAN))).contains("NaN"));
}

#[test]
fn a_size_that_is_asked_for_is_kept_and_so_are_proportions() {
    let look = Look { size: Some((1920, 1080)), ..Look::default() };
    let bytes = render_as(&Sampler, Format::Png, &look).unwrap();
    let picture = image::load_from_memory_with_format(&bytes, image::ImageFormat::Png).unwrap().to_luma8();
    assert_eq!(picture.dimensions(), (1920, 1080));
    // 400 × 300 fits as 1440 × 1080, with 240 white columns on both sides; the filled square begins at 60, 80.
    assert_eq!(picture.get_pixel(239 + 216 / 2, 540).0, [255]);
    let [x, y] = [240 + 110 * 36 / 10, 130 * 36 / 10];
    assert!(picture.get_pixel(x, y).0[0] < 100);
    let small = Look { size: Some((200, 150)), ..Look::default() };
    let bytes = render_as(&Sampler, Format::Png, &small).unwrap();
    let picture = image::load_from_memory_with_format(&bytes, image::ImageFormat::Png).unwrap();
    assert_eq!((picture.width(), picture.height()), (200, 150));
    let text = String::from_utf8(render_as(&Sampler, Format::Svg, &look).unwrap()).unwrap();
    let root = roxmltree::Document::parse(&text).unwrap();
    let root = root.root_element();
    let attribute = |name| root.attribute(name).unwrap();
    assert_eq!([attribute("width"), attribute("height"), attribute("viewBox")], ["1920", "1080", "0 0 400 300"]);
}

#[test]
fn another_title_takes_the_place_of_the_own_one() {
    let text = |title: &str| {
        let look = Look { title: Some(title.to_owned()), ..Look::default() };
        String::from_utf8(render_as(&LeeFigure(&lee::classifier()), Format::Svg, &look).unwrap()).unwrap()
    };
    let mine = text("What my network does");
    assert!(mine.contains("What my network does") && !mine.contains("Equivariance error of"));
    assert!(mine.contains("translate_x"), "nothing else goes away");
    assert!(!text("").contains("Equivariance error of"));
    // One that is too long is cut, and one from a file is no markup.
    assert!(text(&"long ".repeat(200)).contains('…'));
    assert!(text("<b>&\u{7}").contains("&lt;b&gt;&amp;\\u{7}"));
}

#[test]
fn the_panels_of_the_lee_figure_stand_alone() {
    let report = lee::classifier();
    let [whole, generators, spectrum] =
        [svg(&LeeFigure(&report)), svg(&LeePart::Generators(&report)), svg(&LeePart::Spectrum(&report))];
    for (words, there) in [("saturate</text>", [true, false]), ("λ₆", [false, true])] {
        let words = words.trim_end_matches("</text>");
        assert!(whole.contains(words));
        let found = [&generators, &spectrum].map(|part| part.lines().any(|line| line.trim() == words));
        assert_eq!(found, there, "{words}");
    }
    // What a panel alone has no room for is left out, and no line cut.
    let mut report = report;
    report.run.images.preprocess =
        "metadata (centre crop 1, bicubic, pixels 0 to 255, mean [127, 127, 127], std [128, 128, 128])".to_owned();
    assert!(svg(&LeeFigure(&report)).contains("std [128, 128, 128]"));
    for part in [LeePart::Generators(&report), LeePart::Spectrum(&report)] {
        let part = svg(&part);
        assert!(part.contains("preprocessing: metadata;") && !part.contains('…'));
    }
}

/// A PDF is a header, a page of the size in points, compressed vectors and letters of the embedded faces.
#[test]
fn a_pdf_holds_vectors_and_letters() {
    let bytes = render(&Sampler, Format::Pdf).unwrap();
    assert!(bytes.starts_with(b"%PDF-") && bytes.ends_with(b"%%EOF"));
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("[0 0 300 225]"), "400 × 300 pixels of three quarters of a point");
    assert!(text.contains("DejaVuSans") && text.contains("DejaVuSans-Bold") && text.contains("FlateDecode"));
    // The meaning of a glyph, so that text can be searched: ∂ is U+2202.
    assert!(text.contains("<2202>"));
    let look = Look { size: Some((1920, 1080)), ..Look::default() };
    let sized = render_as(&Sampler, Format::Pdf, &look).unwrap();
    assert!(String::from_utf8_lossy(&sized).contains("[0 0 1440 810]"));
    assert_eq!(render(&Sampler, Format::Pdf).unwrap(), bytes, "the same every time");
}
