//! Many recipes on the same images, into a folder: each network's record and ONNX file as it is finished.

use std::path::Path;

use super::Problem;
use super::architecture::{Family, Size};
use super::export::export;
use super::progress::Progress;
use super::recipe::Recipe;
use super::record::Trained;
use super::run::{Data, train};

/// Trains what is not in the folder yet. A study that was stopped goes on with the network that it was at.
///
/// # Errors
/// A network cannot be trained, or a file cannot be written.
pub fn study(recipes: &[Recipe], data: &Data, folder: &Path) -> Result<Vec<Trained>, Problem> {
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut progress = Progress::new(recipes.len(), recipes.iter().map(work).sum());
    let mut records = Vec::new();
    for recipe in recipes {
        let path = folder.join(format!("{}.json", recipe.name()));
        let onnx = path.with_extension("onnx");
        if let Some(record) = Trained::read(&path, recipe, &data.name).filter(|_| onnx.exists()) {
            progress.skip(work(recipe));
            records.push(record);
            continue;
        }
        let outcome = train(recipe, data, &mut |what| progress.say(what))?;
        export(&outcome.network, &recipe.name(), &data.test.first(8).pixels, &onnx)?;
        outcome.record.write(&path)?;
        progress.finish(work(recipe));
        records.push(outcome.record);
    }
    Ok(records)
}

/// What earlier runs have left of these networks, whatever they were trained by.
///
/// # Errors
/// A file is no record, or one of other images.
pub fn kept(recipes: &[Recipe], data: &Data, folder: &Path) -> Result<Vec<Trained>, Problem> {
    let path = |recipe: &Recipe| folder.join(format!("{}.json", recipe.name()));
    recipes.iter().filter_map(|recipe| Trained::kept(&path(recipe), &data.name).transpose()).collect()
}

/// About how long a recipe takes, in epochs of the plain CNN: as was measured on two cores.
fn work(recipe: &Recipe) -> f64 {
    let family = match recipe.family {
        Family::Cnn | Family::Vit | Family::Mixer => 1.0,
        Family::FilteredCnn => 4.0,
        Family::P4 => 3.0,
        Family::C8 => 7.0,
    };
    let size = match recipe.size {
        Size::Small => 0.6,
        Size::Medium => 1.0,
        Size::Large => 2.5,
    };
    let term = if recipe.lee_weight > 0.0 { 3.5 } else { 1.0 };
    family * size * term * recipe.epochs as f64
}
