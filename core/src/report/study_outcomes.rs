//! Results over several networks as [`Outcome`]s.

use super::comparison_rows::comparison_rows;
use super::comparison_table::comparison_table;
use super::outcome::{NamedFigure, Outcome};
use super::rows::Rows;
use crate::figure::ComparisonFigure;
use crate::study::comparison::Comparison;

impl Outcome for Comparison {
    type Beside = ();

    fn table(&self, (): &(), width: usize) -> String {
        comparison_table(self, width)
    }

    fn rows(&self, per_image: bool) -> Rows {
        comparison_rows(self, per_image)
    }

    fn figures<'a>(&'a self, (): &'a ()) -> Vec<NamedFigure<'a>> {
        vec![NamedFigure::main(ComparisonFigure(self))]
    }
}
