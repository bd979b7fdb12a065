//! What was done to photos on their way, in words that count them.

use std::collections::BTreeMap;

/// What had to be done to a photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PhotoNote {
    /// It is smaller than the network's input, of so many rows and columns, and was enlarged.
    Enlarged {
        /// Rows of the input.
        rows: usize,
        /// Columns of the input.
        columns: usize,
    },
    /// It is smaller than the network's input, of so many rows and columns, and was enlarged to fill it.
    EnlargedWhole {
        /// Rows of the input.
        rows: usize,
        /// Columns of the input.
        columns: usize,
    },
    /// It is greyscale, and was repeated over the colour channels.
    Greyscale,
    /// Its colours were reduced to brightness.
    Brightness,
    /// Its alpha channel was dropped.
    Alpha,
    /// Its 16 bits per channel were kept.
    Deep,
    /// It was turned as its orientation tag says.
    Turned,
    /// It is an animation, of which the first picture was taken.
    Animated,
}

impl PhotoNote {
    /// The note's predicate, for `count` photos.
    fn predicate(self, count: usize) -> String {
        let (is, was, its, has) = match count {
            1 => ("is", "was", "its", "has"),
            _ => ("are", "were", "their", "have"),
        };
        match self {
            Self::Enlarged { rows, columns } => {
                format!("{is} smaller than {columns}×{rows} once cropped, and {was} enlarged")
            }
            Self::EnlargedWhole { rows, columns } => {
                format!("{is} smaller than {columns}×{rows}, and {was} enlarged")
            }
            Self::Greyscale => format!("{is} greyscale and {was} repeated over the colour channels"),
            Self::Brightness => format!("{was} reduced to brightness, as the network has one channel"),
            Self::Alpha => format!("{has} an alpha channel, which {was} dropped"),
            Self::Deep => format!("{has} 16 bits per channel, which were kept"),
            Self::Turned => format!("{was} turned as {its} orientation tag says"),
            Self::Animated => format!("{is} animated, of which the first picture was taken"),
        }
    }
}

/// Notes of many photos, each of which is told once, with how many photos it is about.
#[derive(Clone, Debug, Default)]
pub struct PhotoNotes {
    photos: usize,
    by_note: BTreeMap<PhotoNote, Vec<String>>,
}

impl PhotoNotes {
    /// How many photos a note names.
    const NAMED: usize = 3;

    /// One more photo, by its name.
    pub fn add(&mut self, name: &str, notes: &[PhotoNote]) {
        self.photos += 1;
        for note in notes {
            self.by_note.entry(*note).or_default().push(name.to_owned());
        }
    }

    /// One sentence for each note.
    pub fn sentences(&self) -> Vec<String> {
        let sentence = |(note, names): (&PhotoNote, &Vec<String>)| {
            let named = names[..names.len().min(Self::NAMED)].join(", ");
            let more = if names.len() > Self::NAMED { ", …" } else { "" };
            match self.photos {
                1 => format!("{named} {}", note.predicate(1)),
                _ => {
                    format!("{} of {} photos {}: {named}{more}", names.len(), self.photos, note.predicate(names.len()))
                }
            }
        };
        self.by_note.iter().map(sentence).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_count_photos() {
        let mut notes = PhotoNotes::default();
        notes.add("a.png", &[PhotoNote::Enlarged { rows: 224, columns: 224 }, PhotoNote::Alpha]);
        assert_eq!(notes.sentences()[0], "a.png is smaller than 224×224 once cropped, and was enlarged");
        for name in ["b.png", "c.png", "d.png"] {
            notes.add(name, &[PhotoNote::Enlarged { rows: 224, columns: 224 }]);
        }
        notes.add("e.png", &[]);
        assert_eq!(
            notes.sentences(),
            [
                "4 of 5 photos are smaller than 224×224 once cropped, and were enlarged: a.png, b.png, c.png, …",
                "1 of 5 photos has an alpha channel, which was dropped: a.png",
            ]
        );
    }
}
