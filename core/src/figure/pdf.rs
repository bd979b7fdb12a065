//! A drawing backend that writes a page of PDF: lines stay lines, and text stays text in the embedded faces.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use ab_glyph::{Font, FontRef};
use miniz_oxide::deflate::compress_to_vec_zlib;
use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref, Str, TextStr};
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, FontStyle,
    FontTransform,
};

use super::error::FigureError;
use super::fonts::{BOLD, REGULAR};

/// A page and what was drawn on it so far.
pub(super) struct Page {
    size: (u32, u32),
    content: Content,
    /// Of the upright and the bold face: the characters drawn, by glyph.
    glyphs: [BTreeMap<u16, char>; 2],
    pictures: Vec<((u32, u32), Vec<u8>)>,
    /// Opacities in thousandths.
    opacities: BTreeSet<u16>,
}

/// Draws on a [`Page`].
pub(super) struct PdfBackend<'a>(pub(super) &'a mut Page);

const FACES: [(&[u8], &[u8]); 2] = [(b"DejaVuSans", REGULAR), (b"DejaVuSans-Bold", BOLD)];
const INFO: SystemInfo<'static> = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };
/// Points of a page per pixel of a figure, as CSS has them.
const POINTS: f32 = 0.75;

impl Page {
    /// An empty page for a figure of so many pixels.
    pub(super) fn new(size: (u32, u32)) -> Self {
        Self {
            size,
            content: Content::new(),
            glyphs: [BTreeMap::new(), BTreeMap::new()],
            pictures: Vec::new(),
            opacities: BTreeSet::new(),
        }
    }

    /// The file: a page of `size` pixels with the drawing in its middle, as large as fits.
    ///
    /// # Errors
    /// An embedded face is damaged.
    pub(super) fn finish(self, size: (u32, u32)) -> Result<Vec<u8>, FigureError> {
        let mut last = 0;
        let mut next = || {
            last += 1;
            Ref::new(last)
        };
        let mut pdf = Pdf::new();
        let [catalog, pages, page, content, info] = [next(), next(), next(), next(), next()];
        let (width, height) = (size.0 as f32 * POINTS, size.1 as f32 * POINTS);
        pdf.catalog(catalog).pages(pages);
        pdf.pages(pages).kids([page]).count(1);
        pdf.document_info(info).creator(TextStr("aliascope"));
        let fonts: Vec<Option<Ref>> = self.glyphs.iter().map(|used| (!used.is_empty()).then(&mut next)).collect();
        let pictures: Vec<Ref> = self.pictures.iter().map(|_| next()).collect();
        {
            let mut page = pdf.page(page);
            page.media_box(Rect::new(0.0, 0.0, width, height)).parent(pages).contents(content);
            let mut resources = page.resources();
            let mut dictionary = resources.fonts();
            for (face, font) in fonts.iter().enumerate().filter_map(|(face, font)| Some((face, (*font)?))) {
                dictionary.pair(Name(font_name(face).as_bytes()), font);
            }
            dictionary.finish();
            let mut dictionary = resources.x_objects();
            for (at, picture) in pictures.iter().enumerate() {
                dictionary.pair(Name(format!("P{at}").as_bytes()), *picture);
            }
            dictionary.finish();
            let mut states = resources.ext_g_states();
            for opacity in &self.opacities {
                let mut state = states
                    .insert(Name(format!("A{opacity}").as_bytes()))
                    .start::<pdf_writer::writers::ExtGraphicsState<'_>>();
                let share = f32::from(*opacity) / 1000.0;
                state.non_stroking_alpha(share).stroking_alpha(share);
            }
        }
        // Pixels count down from the upper left corner, points up from the lower left.
        let scale = (width / self.size.0.max(1) as f32).min(height / self.size.1.max(1) as f32);
        let left = (width - scale * self.size.0 as f32) / 2.0;
        let top = (height + scale * self.size.1 as f32) / 2.0;
        let mut placed = Content::new();
        placed.transform([scale, 0.0, 0.0, -scale, left, top]);
        let mut drawn = placed.finish().into_vec();
        drawn.push(b'\n');
        drawn.extend_from_slice(self.content.finish().as_slice());
        pdf.stream(content, &compress_to_vec_zlib(&drawn, 6)).filter(Filter::FlateDecode);
        for (reference, ((width, height), pixels)) in pictures.into_iter().zip(&self.pictures) {
            let bytes = compress_to_vec_zlib(pixels, 6);
            let mut picture = pdf.image_xobject(reference, &bytes);
            picture.filter(Filter::FlateDecode);
            picture.width(*width as i32).height(*height as i32).bits_per_component(8);
            picture.color_space().device_rgb();
        }
        for (face, font) in fonts.into_iter().enumerate().filter_map(|(face, font)| Some((face, font?))) {
            embed(&mut pdf, face, font, &self.glyphs[face], &mut next)?;
        }
        Ok(pdf.finish())
    }

    fn color(&mut self, color: BackendColor) {
        let opacity = (color.alpha.clamp(0.0, 1.0) * 1000.0).round() as u16;
        self.opacities.insert(opacity);
        self.content.set_parameters(Name(format!("A{opacity}").as_bytes()));
        let [r, g, b] = [color.rgb.0, color.rgb.1, color.rgb.2].map(|part| f32::from(part) / 255.0);
        self.content.set_fill_rgb(r, g, b).set_stroke_rgb(r, g, b);
    }

    fn ink(&mut self, style: &impl BackendStyle) {
        self.color(style.color());
        self.content.set_line_width(style.stroke_width() as f32);
    }

    fn paint(&mut self, fill: bool) {
        if fill {
            self.content.fill_nonzero();
        } else {
            self.content.stroke();
        }
    }

    /// Follows a path; whether there was one.
    fn follow(&mut self, path: impl IntoIterator<Item = BackendCoord>) -> bool {
        let mut path = path.into_iter();
        let Some((x, y)) = path.next() else { return false };
        self.content.move_to(x as f32, y as f32);
        for (x, y) in path {
            self.content.line_to(x as f32, y as f32);
        }
        true
    }
}

fn font_name(face: usize) -> String {
    format!("F{face}")
}

fn damaged() -> FigureError {
    FigureError::Drawing("the embedded fonts are damaged".to_owned())
}

/// Puts the glyphs of a face into the file, with their widths and what they mean.
fn embed(
    pdf: &mut Pdf,
    face: usize,
    font: Ref,
    used: &BTreeMap<u16, char>,
    next: &mut impl FnMut() -> Ref,
) -> Result<(), FigureError> {
    let (name, bytes) = FACES[face];
    let [descendant, descriptor, data, meanings] = [next(), next(), next(), next()];
    let face = FontRef::try_from_slice(bytes).map_err(|_| damaged())?;
    let thousand = 1000.0 / face.units_per_em().ok_or_else(damaged)?;
    // Six letters tell subsets of one face apart.
    let name = [b"ALIASC+", name].concat();
    pdf.type0_font(font)
        .base_font(Name(&name))
        .encoding_predefined(Name(b"Identity-H"))
        .descendant_font(descendant)
        .to_unicode(meanings);
    {
        let mut cid = pdf.cid_font(descendant);
        cid.subtype(CidFontType::Type2).base_font(Name(&name)).system_info(INFO).font_descriptor(descriptor);
        cid.default_width(0.0).cid_to_gid_map_predefined(Name(b"Identity"));
        let mut widths = cid.widths();
        for glyph in used.keys() {
            widths.same(*glyph, *glyph, face.h_advance_unscaled(ab_glyph::GlyphId(*glyph)) * thousand);
        }
    }
    pdf.font_descriptor(descriptor)
        .name(Name(&name))
        .flags(FontFlags::SYMBOLIC)
        .bbox(Rect::new(-1100.0, -400.0, 2000.0, 1200.0))
        .italic_angle(0.0)
        .ascent(face.ascent_unscaled() * thousand)
        .descent(face.descent_unscaled() * thousand)
        .cap_height(729.0)
        .stem_v(80.0)
        .font_file2(data);
    let glyphs: Vec<u16> = used.keys().copied().collect();
    let subset = subsetter::subset(bytes, 0, subsetter::Profile::pdf(&glyphs)).map_err(|_| damaged())?;
    pdf.stream(data, &compress_to_vec_zlib(&subset, 6))
        .filter(Filter::FlateDecode)
        .pair(Name(b"Length1"), subset.len() as i32);
    let mut map = UnicodeCmap::new(Name(b"Meanings"), INFO);
    used.iter().for_each(|(glyph, character)| map.pair(*glyph, *character));
    pdf.cmap(meanings, &map.finish());
    Ok(())
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

impl DrawingBackend for PdfBackend<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.0.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        self.draw_rect((x, y), (x + 1, y + 1), &color, true)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S, fill: bool) -> Drawn {
        self.0.ink(style);
        self.0.content.rect(from.0 as f32, from.1 as f32, (to.0 - from.0) as f32, (to.1 - from.1) as f32);
        self.0.paint(fill);
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        self.0.ink(style);
        if self.0.follow(path) {
            self.0.content.stroke();
        }
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(&mut self, (x, y): BackendCoord, radius: u32, style: &S, fill: bool) -> Drawn {
        // The distance of the handles of a cubic curve that is nearest to a quarter of a circle.
        const HANDLE: f32 = 0.552_285;
        self.0.ink(style);
        let (x, y, r) = (x as f32, y as f32, radius as f32);
        let h = HANDLE * r;
        self.0.content.move_to(x + r, y);
        for [from, handle, to] in [
            [[r, h], [h, r], [0.0, r]],
            [[-h, r], [-r, h], [-r, 0.0]],
            [[-r, -h], [-h, -r], [0.0, -r]],
            [[h, -r], [r, -h], [r, 0.0]],
        ] {
            self.0.content.cubic_to(x + from[0], y + from[1], x + handle[0], y + handle[1], x + to[0], y + to[1]);
        }
        self.0.content.close_path();
        self.0.paint(fill);
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        self.0.ink(style);
        if self.0.follow(path) {
            self.0.content.close_path().fill_nonzero();
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Drawn {
        let face = usize::from(matches!(style.style(), FontStyle::Bold));
        let Ok(font) = FontRef::try_from_slice(FACES[face].1) else { return Ok(()) };
        // As in an SVG.
        let em = style.size() as f32 / 1.24;
        let mut codes = Vec::with_capacity(2 * text.len());
        let mut width = 0.0;
        for character in text.chars() {
            let glyph = font.glyph_id(character);
            width += font.h_advance_unscaled(glyph);
            self.0.glyphs[face].entry(glyph.0).or_insert(character);
            codes.extend(glyph.0.to_be_bytes());
        }
        let width = em * width / font.units_per_em().unwrap_or(2048.0);
        let along = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => -width / 2.0,
            HPos::Right => -width,
        };
        let down = em
            * match style.anchor().v_pos {
                VPos::Top => 0.76,
                VPos::Center => 0.27,
                VPos::Bottom => -0.27,
            };
        // Letters stand upright on a page whose pixels count down.
        let (cos, sin) = match style.transform() {
            FontTransform::None => (1.0, 0.0),
            FontTransform::Rotate90 => (0.0, 1.0),
            FontTransform::Rotate180 => (-1.0, 0.0),
            FontTransform::Rotate270 => (0.0, -1.0),
        };
        let at = [x as f32 + cos * along - sin * down, y as f32 + sin * along + cos * down];
        self.0.color(style.color());
        let content = &mut self.0.content;
        content.begin_text().set_font(Name(font_name(face).as_bytes()), em);
        content.set_text_matrix([cos, sin, sin, -cos, at[0], at[1]]).show(Str(&codes)).end_text();
        Ok(())
    }

    fn blit_bitmap(&mut self, (x, y): BackendCoord, size: (u32, u32), pixels: &[u8]) -> Drawn {
        self.0.color(BackendColor { alpha: 1.0, rgb: (0, 0, 0) });
        let name = format!("P{}", self.0.pictures.len());
        let (width, height) = (size.0 as f32, size.1 as f32);
        self.0.content.save_state().transform([width, 0.0, 0.0, -height, x as f32, y as f32 + height]);
        self.0.content.x_object(Name(name.as_bytes())).restore_state();
        self.0.pictures.push((size, pixels.to_vec()));
        Ok(())
    }
}
