//! Which memory format a run takes: one measurement per network and machine, kept in a file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::graph::{MemoryFormat, Network};
use crate::report::OutputFile;

use super::Failure;

/// A measurement takes about twelve forward passes of eight, one of which is about the time of an image's sweep, and
/// saves a part of each: with fewer images than this it does not pay.
const WORTH_MEASURING: usize = 64;
/// Another format than the one that a network is loaded with has to be so much faster, so that noise does not choose.
const FASTER: f64 = 0.95;

/// The option `--memory-format`.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(super) enum Choice {
    /// Measured once per network and machine where there are many images, and kept; channels last otherwise.
    Auto,
    /// All channels of a pixel side by side.
    ChannelsLast,
    /// All pixels of a channel side by side.
    ChannelsFirst,
}

/// What was measured for one network on one machine.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Measured {
    channels_last_ms: f64,
    channels_first_ms: f64,
}

impl Measured {
    fn faster(self) -> MemoryFormat {
        if self.channels_first_ms < FASTER * self.channels_last_ms {
            MemoryFormat::ChannelsFirst
        } else {
            MemoryFormat::ChannelsLast
        }
    }

    fn is_sane(self) -> bool {
        [self.channels_last_ms, self.channels_first_ms].iter().all(|ms| ms.is_finite() && *ms > 0.0)
    }
}

/// Puts the network into the memory format that was chosen; gives the reason in words.
pub(super) fn settle(network: &mut Network, choice: Choice, images: usize) -> Result<String, Failure> {
    let format = match choice {
        Choice::ChannelsLast => MemoryFormat::ChannelsLast,
        Choice::ChannelsFirst => MemoryFormat::ChannelsFirst,
        Choice::Auto if !network.has_memory_formats() => return Ok("there is no format to choose".to_owned()),
        Choice::Auto => return measured(network, images),
    };
    network.set_memory_format(format)?;
    Ok("as --memory-format says".to_owned())
}

fn measured(network: &mut Network, images: usize) -> Result<String, Failure> {
    // What an earlier run found does not count either: the rounding of a short run would go by the machine's past.
    if images < WORTH_MEASURING {
        return Ok(format!("not measured: that pays from {WORTH_MEASURING} images on"));
    }
    let (key, store) = (key(network), store());
    let mut kept = store.as_deref().map(read).unwrap_or_default();
    let (times, when) = match kept.get(&key).copied().filter(|times| times.is_sane()) {
        Some(times) => (times, "measured earlier"),
        None => {
            let [channels_last_ms, channels_first_ms] = network.time_memory_formats()?;
            let times = Measured { channels_last_ms, channels_first_ms };
            kept.insert(key, times);
            (
                times,
                if store.as_deref().is_some_and(|path| keep(path, &kept)) { "measured and kept" } else { "measured" },
            )
        }
    };
    network.set_memory_format(times.faster())?;
    let place = store.map(|path| format!(" in {}", path.display())).unwrap_or_default();
    Ok(format!(
        "{when}{place}: a batch of eight takes {:.0} ms with channels last, {:.0} ms with channels first",
        times.channels_last_ms, times.channels_first_ms
    ))
}

/// Network, processor, threads and device in one line.
fn key(network: &Network) -> String {
    let name = network.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let device = match network.device() {
        tch::Device::Cuda(number) => format!("cuda:{number}"),
        _ => processor(),
    };
    format!("{name} {:016x}, {device}, {} threads", network.shape_hash(), tch::get_num_threads())
}

fn processor() -> String {
    let told = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = told.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or(std::env::consts::ARCH, |(_, name)| name.trim()).to_owned()
}

/// Where measurements are kept.
fn store() -> Option<PathBuf> {
    Some(cache()?.join("memory-format.json"))
}

/// What is kept between runs lies in `ALIASCOPE_CACHE`, else in `aliascope` in the user's cache folder.
pub(super) fn cache() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = folder("ALIASCOPE_CACHE");
    let users = || folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
    own.or_else(|| Some(users()?.join("aliascope")))
}

/// What is kept; nothing where there is no file, or one that cannot be read: it is measured again then.
fn read(path: &Path) -> BTreeMap<String, Measured> {
    fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// Whether it could be kept; where it could not, the next run measures again.
fn keep(path: &Path, measured: &BTreeMap<String, Measured>) -> bool {
    let Ok(json) = serde_json::to_vec_pretty(measured) else { return false };
    let folder = path.parent().is_some_and(|folder| fs::create_dir_all(folder).is_ok());
    folder && OutputFile::claim(path, true).is_ok_and(|file| file.write_bytes(&json).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_does_not_choose_another_format() {
        let times = |last, first| Measured { channels_last_ms: last, channels_first_ms: first };
        assert_eq!(times(100.0, 99.0).faster(), MemoryFormat::ChannelsLast);
        assert_eq!(times(100.0, 90.0).faster(), MemoryFormat::ChannelsFirst);
        assert_eq!(times(100.0, 200.0).faster(), MemoryFormat::ChannelsLast);
        assert!(!times(0.0, 1.0).is_sane() && !times(1.0, f64::NAN).is_sane());
    }
}
