//! Which networks are trained, and how.

use super::Arguments;
use super::training::architecture::{Family, Size};
use super::training::augmentation::Augmentation;
use super::training::recipe::Recipe;

/// What a mean square of the logits' Lie derivative under rotation, per radian, counts beside the cross-entropy.
const LEE_WEIGHT: f64 = 5e-4;

/// Adam's first learning rate: networks with batch normalisation take larger steps.
fn rate(family: Family) -> f64 {
    if matches!(family, Family::Vit | Family::Mixer) { 3e-3 } else { 1e-2 }
}

/// Every kind with the first seed, then with the next.
pub fn recipes(arguments: &Arguments) -> Vec<Recipe> {
    let families = [Family::Cnn, Family::FilteredCnn, Family::P4, Family::C8, Family::Vit, Family::Mixer];
    let augmentations = [Augmentation::None, Augmentation::Rotation];
    let mut recipes = Vec::new();
    for seed in 0..arguments.seeds {
        let recipe = |family, augmentation, lee_weight| Recipe {
            family,
            size: Size::Medium,
            augmentation,
            lee_weight,
            seed,
            epochs: arguments.epochs,
            batch: 25,
            rate: rate(family),
            threads: arguments.threads,
        };
        for augmentation in augmentations {
            recipes.extend(families.map(|family| recipe(family, augmentation, 0.0)));
        }
        recipes.extend([Family::Cnn, Family::Vit].map(|family| recipe(family, Augmentation::None, LEE_WEIGHT)));
    }
    recipes.retain(|recipe| arguments.only.is_empty() || arguments.only.contains(&recipe.kind()));
    recipes
}
