//! Figures: files of the promised format and size, with the promised labels, for degenerate results too.

use aliascope::figure::{Area, Figure, FigureError, Format, render, style};
use plotters::backend::DrawingBackend;
use plotters::element::{BitMapElement, Circle, PathElement, Rectangle};
use plotters::style::{Color, FontTransform};

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
    let bytes = render(&Sampler, Format::Png).unwrap();
    if let Some(folder) = std::env::var_os("ALIASCOPE_KEEP_FIGURES") {
        std::fs::write(std::path::Path::new(&folder).join("sampler.png"), &bytes).unwrap();
    }
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
    for path in ["b.pdf", "b", "png"] {
        let message = Format::from_path(path).unwrap_err().to_string();
        assert!(message.contains("end it in .svg or .png"), "{message}");
    }
}
