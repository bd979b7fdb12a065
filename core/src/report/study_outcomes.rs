//! Results over several networks as [`Outcome`]s.

use super::comparison_rows::comparison_rows;
use super::comparison_table::comparison_table;
use super::outcome::{NamedFigure, Outcome};
use super::rows::Rows;
use super::study_rows::{study_rows, study_status_rows};
use super::study_table::{study_status_table, study_table};
use crate::figure::{Against, ComparisonFigure, StudyScatterFigure, StudySetsFigure};
use crate::study::comparison::Comparison;
use crate::study::report::StudyReport;
use crate::study::status::StudyStatus;

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

impl Outcome for StudyStatus {
    type Beside = ();

    fn table(&self, (): &(), width: usize) -> String {
        study_status_table(self, width)
    }

    fn rows(&self, _: bool) -> Rows {
        study_status_rows(self)
    }

    fn figures<'a>(&'a self, (): &'a ()) -> Vec<NamedFigure<'a>> {
        Vec::new()
    }
}

impl Outcome for StudyReport {
    type Beside = ();

    fn table(&self, (): &(), width: usize) -> String {
        study_table(self, width)
    }

    fn rows(&self, _: bool) -> Rows {
        study_rows(self)
    }

    /// LEE against accuracy, or against size where no classes are known; against size beside it; other images.
    fn figures<'a>(&'a self, (): &'a ()) -> Vec<NamedFigure<'a>> {
        let scatter = |against| StudyScatterFigure { report: self, against };
        let mut figures = Vec::new();
        if scatter(Against::Accuracy).has_dots() {
            figures.push(NamedFigure::main(scatter(Against::Accuracy)));
            figures.push(NamedFigure::new("size", scatter(Against::Parameters)));
        } else {
            figures.push(NamedFigure::main(scatter(Against::Parameters)));
        }
        if StudySetsFigure(self).has_ratios() {
            figures.push(NamedFigure::new("sets", StudySetsFigure(self)));
        }
        figures
    }
}
