//! A drawing backend that writes another title than the figure's own.

use plotters::style::{FontDesc, FontFamily, TextStyle};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, FontStyle,
};

use super::family::FAMILY;
use super::style::TITLE_SIZE;

/// `inner`, on which text in the style of a title is replaced.
pub(super) struct Titled<'a, DB> {
    inner: DB,
    title: &'a str,
}

impl<'a, DB> Titled<'a, DB> {
    /// Nothing is written where `title` is empty.
    pub(super) fn new(inner: DB, title: &'a str) -> Self {
        Self { inner, title }
    }
}

/// No other text of a figure is as large.
fn is_title(style: &impl BackendTextStyle) -> bool {
    style.size() >= TITLE_SIZE && matches!(style.style(), FontStyle::Bold)
}

type Drawn<DB> = Result<(), DrawingErrorKind<<DB as DrawingBackend>::ErrorType>>;

impl<DB: DrawingBackend> DrawingBackend for Titled<'_, DB> {
    type ErrorType = DB::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.inner.get_size()
    }

    fn ensure_prepared(&mut self) -> Drawn<DB> {
        self.inner.ensure_prepared()
    }

    fn present(&mut self) -> Drawn<DB> {
        self.inner.present()
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Drawn<DB> {
        self.inner.draw_pixel(point, color)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn<DB> {
        self.inner.draw_line(from, to, style)
    }

    fn draw_rect<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S, fill: bool) -> Drawn<DB> {
        self.inner.draw_rect(from, to, style, fill)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn<DB> {
        self.inner.draw_path(path, style)
    }

    fn draw_circle<S: BackendStyle>(&mut self, center: BackendCoord, radius: u32, style: &S, fill: bool) -> Drawn<DB> {
        self.inner.draw_circle(center, radius, style, fill)
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vertices: I,
        style: &S,
    ) -> Drawn<DB> {
        self.inner.fill_polygon(vertices, style)
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Drawn<DB> {
        if !is_title(style) {
            return self.inner.draw_text(text, style, (x, y));
        }
        if self.title.is_empty() {
            return Ok(());
        }
        let room = self.inner.get_size().0.saturating_sub(2 * x.max(0) as u32);
        let mut size = style.size();
        let smaller = |size: f64| {
            let font = FontDesc::new(FontFamily::Name(FAMILY), size, style.style()).transform(style.transform());
            TextStyle { font, color: style.color(), pos: style.anchor() }
        };
        // A long title is written smaller, down to the size of a panel's.
        while size > 0.7 * TITLE_SIZE && self.inner.estimate_text_size(self.title, &smaller(size))?.0 > room {
            size -= 0.5;
        }
        let mut title = self.title.to_owned();
        while title.chars().count() > 1 && self.inner.estimate_text_size(&title, &smaller(size))?.0 > room {
            title = title.chars().take(title.chars().count() - 2).chain(['…']).collect();
        }
        self.inner.draw_text(&title, &smaller(size), (x, y))
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Self::ErrorType>> {
        self.inner.estimate_text_size(text, style)
    }

    fn blit_bitmap(&mut self, position: BackendCoord, size: (u32, u32), pixels: &[u8]) -> Drawn<DB> {
        self.inner.blit_bitmap(position, size, pixels)
    }
}
