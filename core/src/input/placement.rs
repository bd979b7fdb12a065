//! Which part of a photo goes where in the input.

use super::preprocessing::Preprocessing;

/// The grey beside a letterboxed photo, in 0..1.
pub(super) const PADDING: f64 = 114.0 / 255.0;

/// The most pixels of a resized photo, of which resizing takes 16 bytes each on its way.
const MOST: u64 = 50_000_000;

/// A part of the photo, the size it is brought to, and where the input lies on that. Sizes are (width, height).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Placement {
    /// The part's first column and row.
    pub(super) corner: (u32, u32),
    /// The part's size.
    pub(super) part: (u32, u32),
    /// The part's size once resized.
    pub(super) resized: (u32, u32),
    /// Where the input's first pixel lies on the resized part, (column, row); below 0 where there is padding.
    origin: (i64, i64),
}

impl Placement {
    /// Of a photo of (width, height), for an input of (rows, columns).
    ///
    /// # Errors
    /// When the resized photo would be too large.
    pub(super) fn of(
        preprocessing: &Preprocessing,
        photo: (u32, u32),
        (rows, columns): (usize, usize),
    ) -> Result<Self, String> {
        let (width, height) = photo;
        let (w, h) = (f64::from(width), f64::from(height));
        let input = (columns as u32, rows as u32);
        if let Some(shorter) = preprocessing.resize {
            // The longer side is cut to whole pixels, and the crop's corner is rounded to even, as torchvision does
            // both.
            let longer = u64::from(shorter) * u64::from(width.max(height)) / u64::from(width.min(height));
            if longer.saturating_mul(u64::from(shorter)) > MOST {
                return Err(format!(
                    "it is {width}×{height}, and too large once its shorter side has {shorter} pixels; crop it first"
                ));
            }
            let longer = longer as u32;
            let resized = if width <= height { (shorter, longer) } else { (longer, shorter) };
            let middle = |side: u32, input: u32| ((f64::from(side) - f64::from(input)) / 2.0).round_ties_even() as i64;
            let origin = (middle(resized.0, input.0), middle(resized.1, input.1));
            return Ok(Self { corner: (0, 0), part: photo, resized, origin });
        }
        if preprocessing.letterbox {
            let ratio = (columns as f64 / w).min(rows as f64 / h);
            let side = |side: f64, limit: u32| ((side * ratio).round_ties_even() as u32).clamp(1, limit);
            let resized = (side(w, input.0), side(h, input.1));
            // The odd pixel of padding lies right and below.
            let origin = (-i64::from((input.0 - resized.0) / 2), -i64::from((input.1 - resized.1) / 2));
            return Ok(Self { corner: (0, 0), part: photo, resized, origin });
        }
        let part = crop_size(width, height, rows, columns, preprocessing.crop);
        let corner = ((width - part.0) / 2, (height - part.1) / 2);
        Ok(Self { corner, part, resized: input, origin: (0, 0) })
    }

    /// Whether the part has fewer pixels than it is resized to.
    pub(super) fn enlarges(&self) -> bool {
        self.part.0 < self.resized.0 || self.part.1 < self.resized.1
    }

    /// The place of the input's pixel among those of the resized part, row by row; none where it is padding.
    pub(super) fn pixel(&self, row: usize, column: usize) -> Option<usize> {
        let (width, height) = (self.resized.0 as usize, self.resized.1 as usize);
        let x = usize::try_from(column as i64 + self.origin.0).ok().filter(|&x| x < width)?;
        let y = usize::try_from(row as i64 + self.origin.1).ok().filter(|&y| y < height)?;
        Some(y * width + x)
    }
}

/// Width and height of the centred crop: the largest of the target's aspect ratio, times `share`.
pub(super) fn crop_size(width: u32, height: u32, rows: usize, columns: usize, share: f64) -> (u32, u32) {
    let (w, h) = (f64::from(width), f64::from(height));
    let fit = (w / columns as f64).min(h / rows as f64) * share;
    let side = |target: usize, limit: u32| ((fit * target as f64).round() as u32).clamp(1, limit);
    (side(columns, width), side(rows, height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crops_keep_the_aspect_ratio() {
        assert_eq!(crop_size(451, 300, 224, 224, 1.0), (300, 300));
        assert_eq!(crop_size(400, 400, 100, 200, 1.0), (400, 200));
        assert_eq!(crop_size(1, 1, 224, 224, 0.1), (1, 1));
    }

    fn resized(resize: u32, photo: (u32, u32), input: (usize, usize)) -> Result<Placement, String> {
        Placement::of(&Preprocessing { resize: Some(resize), ..Preprocessing::raw() }, photo, input)
    }

    #[test]
    fn the_shorter_side_is_resized_and_the_centre_taken() {
        // 451·256/300 = 384.85, cut; (384 − 224)/2 = 80 and (256 − 224)/2 = 16.
        let place = resized(256, (451, 300), (224, 224)).unwrap();
        assert_eq!((place.corner, place.part, place.resized, place.origin), ((0, 0), (451, 300), (384, 256), (80, 16)));
        assert_eq!(place.pixel(0, 0), Some(16 * 384 + 80));
        assert!(!place.enlarges());
        // (5 − 4)/2 = 0.5 is rounded to 0, (7 − 4)/2 = 1.5 to 2.
        let place = resized(5, (5, 7), (4, 4)).unwrap();
        assert_eq!((place.resized, place.origin), ((5, 7), (0, 2)));
        assert!(resized(8, (7, 9), (4, 4)).unwrap().enlarges());
        let problem = resized(224, (1, 1_000_000), (224, 224)).unwrap_err();
        assert!(problem.contains("1×1000000") && problem.contains("224"), "{problem}");
    }

    #[test]
    fn the_whole_photo_is_letterboxed() {
        let boxed = |photo, input| {
            Placement::of(&Preprocessing { letterbox: true, ..Preprocessing::raw() }, photo, input).unwrap()
        };
        // 300·640/451 = 425.7 rows; (640 − 426)/2 = 107 of grey above.
        let place = boxed((451, 300), (640, 640));
        assert_eq!((place.part, place.resized, place.origin), ((451, 300), (640, 426), (0, -107)));
        assert_eq!(
            (place.pixel(106, 0), place.pixel(107, 3), place.pixel(532, 639)),
            (None, Some(3), Some(426 * 640 - 1))
        );
        assert_eq!(place.pixel(533, 0), None);
        assert!(place.enlarges());
        // 3 pixels of padding: one on the left, two on the right.
        let place = boxed((10, 16), (8, 8));
        assert_eq!((place.resized, place.origin), ((5, 8), (-1, 0)));
        assert_eq!(
            (place.pixel(0, 0), place.pixel(0, 1), place.pixel(0, 5), place.pixel(0, 6)),
            (None, Some(0), Some(4), None)
        );
        assert_eq!(boxed((1, 100_000), (8, 8)).resized, (1, 8));
    }
}
