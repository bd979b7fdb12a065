//! The images as files and the study that surveys the networks on them.

use std::fmt::Write;
use std::path::Path;

use aliascope::report::OutputFile;
use image::GrayImage;
use tch::Kind;

use super::training::Problem;
use super::training::augmentation::Augmentation;
use super::training::images::Labelled;
use super::training::recipe::Recipe;

/// Writes images/SET/CLASS/NAME.png of the sets, each with its name and role, and STUDY.toml.
///
/// # Errors
/// A file cannot be written.
pub fn write(folder: &Path, recipes: &[Recipe], sets: &[(&str, &str, Labelled)]) -> Result<(), Problem> {
    let mut text = String::new();
    for recipe in recipes {
        let (name, size) = (recipe.name(), recipe.size.name());
        let plain = if recipe.augmentation == Augmentation::None { "plain" } else { "shifted" };
        writeln!(text, "[[model]]\npath = \"{name}.onnx\"\nfamily = \"{}\"", recipe.family)?;
        writeln!(text, "columns = {{ size = \"{size}\", recipe = \"{plain}\", seed = {} }}\n", recipe.seed)?;
    }
    for (name, role, images) in sets {
        pictures(images, &folder.join("images").join(name))?;
        writeln!(text, "[[set]]\nname = \"{name}\"\nimages = [\"images/{name}\"]\nlabels = \"folders\"")?;
        writeln!(text, "role = \"{role}\"\n")?;
    }
    writeln!(text, "[measure]\ngenerators = [\"translate_x\", \"translate_y\", \"rotate\", \"scale\"]")?;
    // The first is attributed to layers. Of a network that is sure the softmax moves by so little that its parts would be
    // lost in rounding.
    writeln!(text, "outputs = [\"logits\", \"softmax\"]\nlayers = [\"translate_x\"]")?;
    Ok(OutputFile::claim(folder.join("STUDY.toml"), true)?.write_bytes(text.as_bytes())?)
}

fn pictures(images: &Labelled, folder: &Path) -> Result<(), Problem> {
    for (at, (name, class)) in images.names.iter().zip(images.class_numbers()).enumerate() {
        let pixels = (images.pixels.get(at as i64).squeeze() * 255.0).round().to_kind(Kind::Uint8);
        let size = pixels.size();
        let bytes = Vec::<u8>::try_from(pixels.contiguous().view([-1]))?;
        let picture = GrayImage::from_raw(size[1] as u32, size[0] as u32, bytes).ok_or("an image of no size")?;
        let folder = folder.join(class.unwrap_or_default().to_string());
        std::fs::create_dir_all(&folder)?;
        picture.save(folder.join(format!("{name}.png")))?;
    }
    Ok(())
}
