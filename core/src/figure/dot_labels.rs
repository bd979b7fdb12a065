//! Where the names of dots stand: beside them, on no other dot or name.

use plotters::backend::DrawingBackend;
use plotters::element::PathElement;
use plotters::style::Color;

use super::canvas::{Area, FigureError};
use super::style::{self, FAINT_INK, INK};

/// Left, top, right and bottom edge, in pixels.
pub(super) type Edges = [i32; 4];

/// Where a name stands.
pub(super) struct Label {
    /// Which of the names.
    pub(super) at: usize,
    pub(super) place: Edges,
    /// Whether it is so far from its dot that a line must lead there.
    pub(super) is_far: bool,
}

/// Finds room inside `room` for the names of the dots at `dots`, away from what else is drawn, `others`; those without any
/// room are left out.
pub(super) fn place_labels<DB: DrawingBackend>(
    area: &Area<DB>,
    names: &[&str],
    dots: &[(i32, i32)],
    room: Edges,
    others: &[Edges],
) -> Result<Vec<Label>, FigureError> {
    let mut taken: Vec<Edges> = dots.iter().map(|(x, y)| [x - 5, y - 5, x + 5, y + 5]).collect();
    taken.extend(others);
    let mut order: Vec<usize> = (0..names.len()).filter(|at| !names[*at].is_empty()).collect();
    // From the right, so that names that grow to the right find room first.
    order.sort_by_key(|at| std::cmp::Reverse(dots[*at].0));
    let mut labels = Vec::new();
    for at in order {
        let (w, h) = area.estimate_text_size(names[at], &style::note())?;
        let fits = |place: &Edges| {
            let inside = place[0] >= room[0] && place[1] >= room[1] && place[2] <= room[2] && place[3] <= room[3];
            inside && taken.iter().all(|t| t[2] <= place[0] || place[2] <= t[0] || t[3] <= place[1] || place[3] <= t[1])
        };
        let mut places = candidates(dots[at], (w as i32 + 4, h as i32));
        if let Some((ring, place)) = places.find(|(_, place)| fits(place)) {
            taken.push(place);
            labels.push(Label { at, place, is_far: ring > 0 });
        }
    }
    Ok(labels)
}

/// Draws names where there is room for them, with lines to the dots of those that stand far off.
pub(super) fn draw_labels<DB: DrawingBackend>(
    area: &Area<DB>,
    names: &[&str],
    dots: &[(i32, i32)],
    room: Edges,
    others: &[Edges],
) -> Result<(), FigureError> {
    let labels = place_labels(area, names, dots, room, others)?;
    draw_leaders(area, &labels, dots)?;
    for Label { at, place, .. } in labels {
        area.draw_text(names[at], &style::note().color(&INK), (place[0] + 2, place[1]))?;
    }
    Ok(())
}

/// The lines that lead from names to dots.
pub(super) fn draw_leaders<DB: DrawingBackend>(
    area: &Area<DB>,
    labels: &[Label],
    dots: &[(i32, i32)],
) -> Result<(), FigureError> {
    for Label { at, place, .. } in labels.iter().filter(|label| label.is_far) {
        let (x, y) = dots[*at];
        let end = (x.clamp(place[0], place[2]), y.clamp(place[1], place[3]));
        area.draw(&PathElement::new(vec![(x, y), end], FAINT_INK.mix(0.6).stroke_width(1)))?;
    }
    Ok(())
}

/// What lines through these points cover.
pub(super) fn covered(points: &[(i32, i32)]) -> Vec<Edges> {
    const STEP: i32 = 5;
    let mut edges = Vec::new();
    for pair in points.windows(2) {
        let [(x, y), (to_x, to_y)] = [pair[0], pair[1]];
        let steps = (x.abs_diff(to_x).max(y.abs_diff(to_y)) as i32 / STEP).max(1);
        let between = |from: i32, to: i32, at: i32| from + (to - from) * at / steps;
        edges.extend((0..=steps).map(|at| {
            let (x, y) = (between(x, to_x, at), between(y, to_y, at));
            [x - 3, y - 3, x + 3, y + 3]
        }));
    }
    edges
}

/// Places around a dot for a text of this size, ring by ring.
fn candidates((x, y): (i32, i32), (w, h): (i32, i32)) -> impl Iterator<Item = (i32, Edges)> {
    (0..9).flat_map(move |ring| {
        let d = 8 + 11 * ring;
        let corners = [
            (x + d, y - h / 2),
            (x - d - w, y - h / 2),
            (x - w / 2, y - d - h),
            (x - w / 2, y + d),
            (x + d, y - d - h / 2),
            (x + d, y + d - h / 2),
            (x - d - w, y - d - h / 2),
            (x - d - w, y + d - h / 2),
        ];
        corners.into_iter().map(move |(left, top)| (ring, [left, top, left + w, top + h]))
    })
}
