//! Draws results that were saved as JSON once more: every figure that a result has without the network beside it.
//!
//!     cargo run -p aliascope-core --example redraw -- FOLDER lee.json layers.json …
//!
//! The first key that only one kind of result has tells which it is.

use std::error::Error;
use std::fs;
use std::path::Path;

use aliascope_core::antialias::report::BenchReport;
use aliascope_core::antialias::surgery_report::SurgeryReport;
use aliascope_core::figure::{Format, Look};
use aliascope_core::measure::layers_report::LayersReport;
use aliascope_core::measure::lee_report::LeeReport;
use aliascope_core::measure::metrics_report::MetricsReport;
use aliascope_core::measure::node_theorem_report::NodeTheoremReport;
use aliascope_core::measure::representation_report::RepresentationReport;
use aliascope_core::report::Outcome;
use aliascope_core::spectrum::departures::Departures;
use aliascope_core::spectrum::harmonics::HarmonicsReport;
use aliascope_core::spectrum::theorem::TheoremReport;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("name a folder for the figures, then JSON files")?;
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    for file in arguments {
        let text = fs::read_to_string(&file)?;
        let stem = Path::new(&file).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let keys: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text)?;
        let has = |key: &str| keys.contains_key(key);
        match () {
            () if has("folds_total") => draw::<TheoremReport>(folder, &stem, &text)?,
            () if has("designs") => draw::<BenchReport>(folder, &stem, &text)?,
            () if has("insertions") => draw::<SurgeryReport>(folder, &stem, &text)?,
            () if has("symmetry_spectrum") => draw::<LeeReport>(folder, &stem, &text)?,
            () if has("estimator") => draw::<LayersReport>(folder, &stem, &text)?,
            () if has("draws") => draw::<MetricsReport>(folder, &stem, &text)?,
            () if has("nodes") => draw::<NodeTheoremReport>(folder, &stem, &text)?,
            () if has("cases") => draw::<Departures>(folder, &stem, &text)?,
            () if has("halves") => draw::<RepresentationReport>(folder, &stem, &text)?,
            () if has("harmonics") => draw::<HarmonicsReport>(folder, &stem, &text)?,
            () => return Err(format!("{file} holds no result that can be drawn").into()),
        }
    }
    Ok(())
}

fn draw<T: Outcome>(folder: &Path, stem: &str, text: &str) -> Result<(), Box<dyn Error>>
where
    T::Beside: Default,
{
    let report: T = serde_json::from_str(text)?;
    let report = report.shown()?;
    for figure in report.figures(&T::Beside::default()) {
        let name = if figure.name().is_empty() { stem.to_owned() } else { format!("{stem}-{}", figure.name()) };
        for format in [Format::Svg, Format::Png, Format::Pdf] {
            let path = folder.join(format!("{name}.{}", format.extension()));
            fs::write(&path, figure.render_as(format, &Look::default())?)?;
        }
        println!("{name}");
    }
    Ok(())
}
