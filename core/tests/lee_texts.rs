//! The lee report as a table, as CSV and as vectors.

use aliascope_core::measure::lee_report::{LeeByImage, LeeReport};
use aliascope_core::measure::run::Lie;
use aliascope_core::report::{VectorsError, lee_rows, lee_table, vectors_bytes};
use aliascope_core::symmetry::Units;

use crate::samples::lee;

#[test]
fn the_table_of_a_classifier() {
    insta::assert_snapshot!(lee_table(&lee::classifier(), 100));
}

#[test]
fn the_table_of_a_degenerate_report() {
    insta::assert_snapshot!(lee_table(&lee::degenerate(), 80));
}

#[test]
fn no_line_is_wider_than_asked() {
    let mut report = lee::classifier();
    report.run.output.as_mut().unwrap().reason =
        "The output (1×1×96×160) is taken as an image, since it has rows and columns: spatial generators move it, saturate scales it."
            .to_owned();
    report.run.lie = Some(Lie { units: Units::Pixel, ..Lie::default() });
    let asked = report.generators["rotate"].clone();
    report.generators.insert("rotate+0.5*saturate-1.25*hyperbolic+translate_x".to_owned(), asked);
    for width in [60, 72, 80, 100, 140] {
        let table = lee_table(&report, width);
        assert!(table.contains("as an image"));
        for line in table.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
    assert_eq!(lee_table(&report, 0), lee_table(&report, 60));
}

fn csv(report: &LeeReport, per_image: bool) -> String {
    String::from_utf8(lee_rows(report, per_image).csv()).unwrap()
}

#[test]
fn csv_has_a_row_per_generator() {
    insta::assert_snapshot!(csv(&lee::classifier(), false));
    assert!(csv(&lee::degenerate(), false).contains("\nrotate,,,,0,,,,,0,,,"));
}

#[test]
fn values_by_image_have_rows_and_those_that_decide_the_mean_are_named() {
    let mut report = lee::classifier();
    report.predicted = Some((0..20).collect());
    let saturate = &mut report.generators["saturate"];
    let lee: Vec<f64> = (0..20).map(|image| if image == 7 { 81.0 } else { 1.0 }).collect();
    // (81 + 19)²/(81² + 19).
    saturate.summary.effective_count = Some(10_000.0 / 6580.0);
    saturate.by_image =
        LeeByImage { mean_abs: vec![0.5; 20], input_energy: vec![2.0; 20], lee, ..LeeByImage::default() };
    let text = csv(&report, true);
    assert_eq!(text.lines().next(), Some("image,name,lee,mean_abs,input_energy,fisher,margin_rate,predicted"));
    assert!(text.contains("\nphoto_7.png,saturate,81,0.5,2,,,7\n") && text.lines().count() == 1 + 20 * 10, "{text}");
    let table = lee_table(&report, 120);
    assert!(
        table.contains("Mean of saturate: effective sample size 1.5 of 20: photo_7.png has 81 % of the sum"),
        "{table}"
    );
}

#[test]
fn vectors_come_back() {
    let numbers = vec![1.0f32, -2.0, 3.5, 0.0, 0.25, 1e-30];
    let vectors = vec![("rotate".to_owned(), vec![2, 3], numbers.clone()), ("scale".to_owned(), vec![0, 3], vec![])];
    let bytes = vectors_bytes(&vectors, None, [("derivative".to_owned(), "spectral".to_owned())].into()).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(header.metadata().as_ref().unwrap()["derivative"], "spectral");
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensor = file.tensor("lie/rotate").unwrap();
    assert_eq!((tensor.shape(), tensor.dtype()), (&[2, 3][..], safetensors::Dtype::F32));
    let read: Vec<f32> = tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!(read, numbers);
    assert_eq!(file.tensor("lie/scale").unwrap().shape(), [0, 3]);
}

#[test]
fn vectors_of_another_shape_are_refused() {
    let wrong = vec![("rotate".to_owned(), vec![2, 2], vec![1.0f32])];
    assert!(matches!(vectors_bytes(&wrong, None, Default::default()), Err(VectorsError::Shape { count: 1, .. })));
    let huge = vec![("rotate".to_owned(), vec![usize::MAX, 2], vec![1.0f32])];
    assert!(matches!(vectors_bytes(&huge, None, Default::default()), Err(VectorsError::Shape { .. })));
    let twice = vec![("rotate".to_owned(), vec![1], vec![1.0f32]); 2];
    assert!(matches!(vectors_bytes(&twice, None, Default::default()), Err(VectorsError::Twice { .. })));
}
