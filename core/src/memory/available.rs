//! What the machine has to give.

use std::fs;
use std::path::{Path, PathBuf};

/// Bytes of memory that this process can still take without being killed, where the system says: the kernel's estimate
/// of what is available, or less where a control group (of either version) or a limit of the address space allows less.
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
    Some(least.min(address_space(root).unwrap_or(u64::MAX)))
}

/// Bytes of address space that are left to this process, where that is limited (`ulimit -v`).
fn address_space(root: &Path) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(root.join("proc/self").join(name)).ok();
    let limits = read("limits")?;
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    let limit = limit.split_whitespace().next()?.parse::<u64>().ok()?;
    let status = read("status")?;
    let used = status.lines().find_map(|line| line.strip_prefix("VmSize:"))?;
    let used = used.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?;
    Some(limit.saturating_sub(used.saturating_mul(1024)))
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
        let limits = |limit: &str| format!("Limit  Soft  Hard  Units\nMax address space  {limit}  unlimited  bytes\n");
        let status = ("proc/self/status", "Name: x\nVmSize:\t   1000 kB\n");
        let narrow = [MEMINFO, ("proc/self/limits", &limits("3072000")), status];
        assert_eq!(available(&narrow), Some(2000 * 1024));
        let wide = [MEMINFO, ("proc/self/limits", &limits("unlimited")), status];
        assert_eq!(available(&wide), Some(8000 * 1024));
    }
}
