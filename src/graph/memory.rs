//! Memory: what a sweep needs, and what the machine has to give.

use std::fs;
use std::path::{Path, PathBuf};

use tch::Kind;

use super::network::{Network, ValueInfo};

/// What a sweep adds to a process, over the values that live at once: measured 1.1 to 2.4 (docs/performance.md). The rest
/// are an operator's working copies, and pieces that the allocator cannot use.
const WORKING: f64 = 2.0;

impl Network {
    /// Bytes of all values that live at once, at the most, while `images` images and `tangents` tangents of each run.
    ///
    /// It follows the run that nobody watches, and counts every value as moving and none as overwritten.
    pub fn live_bytes(&self, images: u64, tangents: u64) -> u64 {
        let lanes = images.saturating_mul(1 + tangents);
        let mut held = bytes(self.input());
        let mut most = held;
        for task in &self.tasks {
            let made: u64 = task.outputs.iter().flatten().map(|&id| bytes(&self.values[id])).sum();
            held = held.saturating_add(made);
            most = most.max(held);
            let freed: u64 = task.frees.iter().map(|&id| bytes(&self.values[id])).sum();
            held = held.saturating_sub(freed);
        }
        most.saturating_mul(lanes)
    }

    /// Bytes that measuring `images` images at once takes, about: the sweep with its working memory, the tangents before
    /// and the Lie derivatives behind it, and what is computed of them in double precision.
    pub fn measuring_bytes(&self, images: u64) -> u64 {
        const TANGENTS: u64 = 7;
        let sweep = (self.live_bytes(images, TANGENTS) as f64 * WORKING) as u64;
        let (input, output) = (bytes(self.input()), bytes(self.output()));
        let around = (1 + TANGENTS).saturating_mul(images).saturating_mul(input.saturating_add(output));
        // One image at a time, its tangents and derivatives, and their combinations.
        let double = if self.kind() == Kind::Double { 1 } else { 2 };
        let mixed = (2 * TANGENTS + 3).saturating_mul(double).saturating_mul(input.max(output));
        sweep.saturating_add(around).saturating_add(mixed)
    }

    /// Bytes that forward passes of `images` moved images at once take, about: the values with working memory, the images
    /// and outputs in double precision, and what they are held against.
    pub fn moving_bytes(&self, images: u64) -> u64 {
        let forward = (self.live_bytes(images, 0) as f64 * WORKING) as u64;
        let double = if self.kind() == Kind::Double { 1 } else { 2 };
        let (input, output) = (bytes(self.input()), bytes(self.output()));
        // Each image as it was moved, side by side with the others, and as the network takes it; its output, and what
        // that differs by.
        let moved = images.saturating_mul(double * 3).saturating_mul(input.saturating_add(output));
        // The image, a larger one, two that are being made of it; the output, what is wanted of it, masks and errors.
        let around = double.saturating_mul(4 * input).saturating_add(double.saturating_mul(8 * output));
        forward.saturating_add(moved).saturating_add(around)
    }

    /// Bytes of every value of one image.
    pub fn all_values_bytes(&self) -> u64 {
        self.values.iter().map(bytes).fold(0, u64::saturating_add)
    }

    /// Bytes of what is kept of `images` images where their derivatives are written: values and seven derivatives, once
    /// as they come and once as they are written.
    pub fn kept_bytes(&self, images: u64) -> u64 {
        images.saturating_mul(2 * 8).saturating_mul(bytes(self.output()))
    }
}

/// Bytes of one lane of a value.
fn bytes(value: &ValueInfo) -> u64 {
    let entries = value.shape.iter().fold(1u64, |product, &n| product.saturating_mul(n.max(0) as u64));
    entries.saturating_mul(value.kind.elt_size_in_bytes() as u64)
}

/// Bytes of memory that this process can still take without being killed, where the system says: the kernel's estimate of
/// what is available, or less where a control group (of either version) allows less.
pub fn available() -> Option<u64> {
    available_under(Path::new("/"))
}

/// As [`available`], of the files below `root`.
fn available_under(root: &Path) -> Option<u64> {
    let read = |path: PathBuf| fs::read_to_string(path).ok();
    let meminfo = read(root.join("proc/meminfo"))?;
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let mut least = line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)?;
    let groups = read(root.join("proc/self/cgroup")).unwrap_or_default();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (mount, limit, usage, cache) = if controllers.is_empty() {
            ("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file")
        } else if controllers.split(',').any(|name| name == "memory") {
            ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        } else {
            continue;
        };
        // Every group above allows as much at the most. In a container the path may be that of another mount, where
        // nothing is; its own group is the mount's root then.
        let mount = root.join(mount);
        let own = mount.join(path.trim_start_matches('/'));
        for group in own.ancestors().take_while(|group| group.starts_with(&mount)) {
            let number = |name: &str| read(group.join(name))?.trim().parse::<u64>().ok();
            let (Some(limit), Some(used)) = (number(limit), number(usage)) else { continue };
            let stat = read(group.join("memory.stat")).unwrap_or_default();
            let reclaimable =
                stat.lines().find_map(|line| line.strip_prefix(cache)?.trim().parse::<u64>().ok()).unwrap_or(0);
            least = least.min(limit.saturating_sub(used.saturating_sub(reclaimable)));
        }
    }
    Some(least)
}

/// A number of bytes for a message, such as `3.2 GiB`.
pub fn size(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    if mib >= 1024.0 { format!("{:.1} GiB", mib / 1024.0) } else { format!("{mib:.0} MiB") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:   8000 kB\n");

    #[test]
    fn memory_is_the_least_of_what_the_machine_and_its_groups_allow() {
        let available = |files: &[(&str, &str)]| available_under(machine(files).path());
        assert_eq!(available(&[]), None);
        assert_eq!(available(&[MEMINFO]), Some(8000 * 1024));
        let second = [
            MEMINFO,
            ("proc/self/cgroup", "0::/outer/inner\n"),
            ("sys/fs/cgroup/outer/inner/memory.max", "max\n"),
            ("sys/fs/cgroup/outer/inner/memory.current", "1000\n"),
            ("sys/fs/cgroup/outer/memory.max", "500000\n"),
            ("sys/fs/cgroup/outer/memory.current", "300000\n"),
            ("sys/fs/cgroup/outer/memory.stat", "anon 1\ninactive_file 100000\n"),
        ];
        assert_eq!(available(&second), Some(300_000));
        let first = [
            MEMINFO,
            ("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/7\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "100000\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "120000\n"),
            ("sys/fs/cgroup/memory/memory.stat", "inactive_file 5\ntotal_inactive_file 40000\n"),
        ];
        assert_eq!(available(&first), Some(20_000));
    }

    #[test]
    fn sizes_are_read_by_people() {
        assert_eq!([size(5 << 20), size(3 << 30)], ["5 MiB", "3.0 GiB"]);
    }
}
