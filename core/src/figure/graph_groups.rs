//! Nodes of a graph put together where they make next to nothing, module by module, so that a picture of hundreds of
//! nodes shows those that matter.

use std::collections::{BTreeMap, BTreeSet, HashSet};

/// A graph of groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Groups {
    /// The places of each group's nodes, in their order; groups in an order in which edges lead forward.
    pub members: Vec<Vec<usize>>,
    /// From group to group, each pair once.
    pub edges: Vec<[usize; 2]>,
}

impl Groups {
    /// Puts neighbours together that are `quiet` and of one `module`, as long as no path leaves a group and comes back:
    /// edges still lead from lower to higher places.
    pub(super) fn of(nodes: usize, edges: &[[usize; 2]], quiet: &[bool], module: &[&str]) -> Self {
        let mut group: Vec<usize> = (0..nodes).collect();
        loop {
            let (before, after) = neighbours(&group, edges);
            let one = |of: &BTreeMap<usize, BTreeSet<usize>>, at: usize| of.get(&at).is_some_and(|all| all.len() == 1);
            let mut taken = HashSet::new();
            let mut joined: BTreeMap<usize, usize> = BTreeMap::new();
            for (&from, all) in &after {
                for &to in all {
                    let alike = quiet[from] && quiet[to] && module[from] == module[to];
                    // Another path from the one to the other would have to go through a second neighbour.
                    let direct = one(&before, to) || one(&after, from);
                    if alike && direct && !taken.contains(&from) && !taken.contains(&to) {
                        taken.extend([from, to]);
                        joined.insert(to.max(from), to.min(from));
                    }
                }
            }
            if joined.is_empty() {
                return Self::sorted(&group, edges);
            }
            group.iter_mut().for_each(|of| *of = joined.get(of).copied().unwrap_or(*of));
        }
    }

    /// Groups in an order in which edges lead forward, those of earlier nodes first where several come next.
    fn sorted(group: &[usize], edges: &[[usize; 2]]) -> Self {
        let (before, after) = neighbours(group, edges);
        let all: BTreeSet<usize> = group.iter().copied().collect();
        let mut open: BTreeMap<usize, usize> =
            all.iter().map(|of| (*of, before.get(of).map_or(0, BTreeSet::len))).collect();
        let mut ready: BTreeSet<usize> = open.iter().filter(|(_, count)| **count == 0).map(|(of, _)| *of).collect();
        let mut place = BTreeMap::new();
        let mut members = Vec::new();
        while let Some(next) = ready.pop_first() {
            place.insert(next, members.len());
            members.push((0..group.len()).filter(|node| group[*node] == next).collect());
            for to in after.get(&next).into_iter().flatten() {
                let left = open.entry(*to).or_default();
                *left = left.saturating_sub(1);
                if *left == 0 {
                    ready.insert(*to);
                }
            }
        }
        let mut pairs = BTreeSet::new();
        for [from, to] in edges.iter().map(|edge| edge.map(|node| place.get(&group[node]).copied().unwrap_or(0))) {
            if from != to {
                pairs.insert([from, to]);
            }
        }
        Self { members, edges: pairs.into_iter().collect() }
    }
}

/// The groups before and after each.
fn neighbours(
    group: &[usize],
    edges: &[[usize; 2]],
) -> (BTreeMap<usize, BTreeSet<usize>>, BTreeMap<usize, BTreeSet<usize>>) {
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    for [from, to] in edges.iter().map(|edge| edge.map(|node| group[node])) {
        if from != to {
            after.entry(from).or_insert_with(BTreeSet::new).insert(to);
            before.entry(to).or_insert_with(BTreeSet::new).insert(from);
        }
    }
    (before, after)
}

/// The module that a node is put together with others of: `blocks.3` of `/blocks/blocks.3/blocks.3.0/conv/Conv` and of
/// `/blocks.3.0.conv/Conv`, and nothing where a name tells none.
pub(super) fn module_of(name: &str) -> &str {
    let mut parts = name.trim_start_matches('/').split('/');
    let (Some(first), Some(second)) = (parts.next(), parts.next()) else { return "" };
    let path = match second.strip_prefix(first) {
        Some(rest) if rest.starts_with('.') => second,
        _ => first,
    };
    // A module and the number after it.
    let mut dots = path.match_indices('.').map(|(at, _)| at);
    let (Some(start), end) = (dots.next(), dots.next().unwrap_or(path.len())) else { return path };
    let is_number = end > start + 1 && path[start + 1..end].bytes().all(|byte| byte.is_ascii_digit());
    &path[..if is_number { end } else { start }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_branches_become_one_and_edges_lead_forward() {
        // 0 → 1 → 2 → 3 → 4 with a residual edge 1 → 3; 2 is loud in the second case.
        let edges = [[0, 1], [1, 2], [2, 3], [1, 3], [3, 4]];
        let all = Groups::of(5, &edges, &[false, true, true, true, true], &["m"; 5]);
        assert_eq!(all, Groups { members: vec![vec![0], vec![1, 2, 3, 4]], edges: vec![[0, 1]] });
        let quiet = [false, true, false, true, true];
        let some = Groups::of(5, &edges, &quiet, &["m"; 5]);
        assert_eq!(some.members, [vec![0], vec![1], vec![2], vec![3, 4]]);
        assert_eq!(some.edges, [[0, 1], [1, 2], [1, 3], [2, 3]]);
        let apart = Groups::of(5, &edges, &[true; 5], &["a", "a", "a", "b", "b"]);
        assert_eq!(apart.members, [vec![0, 1, 2], vec![3, 4]]);
        assert!(apart.edges.iter().all(|[from, to]| from < to));
    }

    #[test]
    fn modules_are_read_off_names() {
        let names = [
            "/blocks/blocks.3/blocks.3.0/conv/Conv",
            "/blocks.3.0.act/Clip",
            "/model.22/cv2.0/Conv",
            "Conv@0",
            "/Relu",
        ];
        assert_eq!(names.map(module_of), ["blocks.3", "blocks.3", "model.22", "", ""]);
        assert_eq!(["/stem.conv/Conv", "/head/Gemm"].map(module_of), ["stem", "head"]);
    }
}
