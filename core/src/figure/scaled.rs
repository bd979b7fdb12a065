//! A drawing backend that draws everything larger by a whole factor, so that figures are laid out once.

use super::family::FAMILY;
use plotters::style::text_anchor::VPos;
use plotters::style::{FontDesc, FontFamily, TextStyle};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind};

/// `inner` seen through a magnifying glass.
pub(super) struct Scaled<DB> {
    inner: DB,
    factor: u32,
}

impl<DB> Scaled<DB> {
    pub(super) fn new(inner: DB, factor: u32) -> Self {
        Self { inner, factor }
    }

    fn point(&self, (x, y): BackendCoord) -> BackendCoord {
        (x * self.factor as i32, y * self.factor as i32)
    }

    fn style(&self, style: &impl BackendStyle) -> Stroke {
        Stroke { color: style.color(), width: style.stroke_width() * self.factor }
    }

    fn text(&self, style: &impl BackendTextStyle) -> TextStyle<'static> {
        // The family is one that the canvas registered; a static name keeps the style free of the borrowed one.
        let family = FontFamily::Name(FAMILY);
        let font = FontDesc::new(family, style.size() * f64::from(self.factor), style.style());
        TextStyle { font: font.transform(style.transform()), color: style.color(), pos: style.anchor() }
    }
}

/// How far below the place that plotters gives it text belongs.
///
/// plotters puts the baseline half a font size below the top of a line whose capitals are 0.63 of it tall: text that
/// hangs from a point stands above it, and a rotated title at an edge is cut off. These put it where an SVG has it.
fn below(style: &TextStyle<'_>) -> i32 {
    let share = match style.pos.v_pos {
        VPos::Top => 0.16,
        VPos::Center => 0.2,
        VPos::Bottom => 0.09,
    };
    (share * style.font.get_size()).round() as i32
}

struct Stroke {
    color: BackendColor,
    width: u32,
}

impl BackendStyle for Stroke {
    fn color(&self) -> BackendColor {
        self.color
    }

    fn stroke_width(&self) -> u32 {
        self.width
    }
}

type Drawn<DB> = Result<(), DrawingErrorKind<<DB as DrawingBackend>::ErrorType>>;

impl<DB: DrawingBackend> DrawingBackend for Scaled<DB> {
    type ErrorType = DB::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        let (width, height) = self.inner.get_size();
        (width / self.factor, height / self.factor)
    }

    fn ensure_prepared(&mut self) -> Drawn<DB> {
        self.inner.ensure_prepared()
    }

    fn present(&mut self) -> Drawn<DB> {
        self.inner.present()
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Drawn<DB> {
        let (x, y) = self.point(point);
        let last = self.factor as i32 - 1;
        self.inner.draw_rect((x, y), (x + last, y + last), &color, true)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn<DB> {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn<DB> {
        let (upper_left, bottom_right, style) = (self.point(upper_left), self.point(bottom_right), self.style(style));
        self.inner.draw_rect(upper_left, bottom_right, &style, fill)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn<DB> {
        let path: Vec<_> = path.into_iter().map(|point| self.point(point)).collect();
        let style = self.style(style);
        self.inner.draw_path(path, &style)
    }

    fn draw_circle<S: BackendStyle>(&mut self, center: BackendCoord, radius: u32, style: &S, fill: bool) -> Drawn<DB> {
        let (center, style) = (self.point(center), self.style(style));
        self.inner.draw_circle(center, radius * self.factor, &style, fill)
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vertices: I,
        style: &S,
    ) -> Drawn<DB> {
        let vertices: Vec<_> = vertices.into_iter().map(|point| self.point(point)).collect();
        let style = self.style(style);
        self.inner.fill_polygon(vertices, &style)
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, position: BackendCoord) -> Drawn<DB> {
        let (style, (x, y)) = (self.text(style), self.point(position));
        let (dx, dy) = BackendTextStyle::transform(&style).transform(0, below(&style));
        self.inner.draw_text(text, &style, (x + dx, y + dy))
    }

    fn blit_bitmap(&mut self, position: BackendCoord, (width, height): (u32, u32), pixels: &[u8]) -> Drawn<DB> {
        let (width, factor) = (width as usize, self.factor as usize);
        let mut enlarged = Vec::with_capacity(pixels.len() * factor * factor);
        for row in pixels.chunks_exact((width * 3).max(1)) {
            let start = enlarged.len();
            for pixel in row.chunks_exact(3) {
                for _ in 0..factor {
                    enlarged.extend_from_slice(pixel);
                }
            }
            let end = enlarged.len();
            for _ in 1..factor {
                enlarged.extend_from_within(start..end);
            }
        }
        let position = self.point(position);
        self.inner.blit_bitmap(position, (width as u32 * self.factor, height * self.factor), &enlarged)
    }
}
