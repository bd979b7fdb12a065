//! Places for the nodes and edges of a graph: from top to bottom, wrapped into columns as text is.

use std::collections::HashMap;

/// Widths and distances, in pixels.
const GAP_ALONG: f64 = 12.0;
const GAP_DOWN: f64 = 22.0;
/// Between the lanes of a gutter.
const LANE: f64 = 6.0;
const GUTTER: f64 = 14.0;
/// Edges that pass other nodes leave and arrive beside the middle, so that they are told from those that do not.
const ASIDE: f64 = 16.0;
/// Width over height that is aimed at.
const ASPECT: f64 = 1.4;

/// A drawn graph.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Drawn {
    pub width: f64,
    pub height: f64,
    /// Left, top and height of every node; all are of one width.
    pub boxes: Vec<[f64; 3]>,
    /// The corners of every edge, in the order of edges.
    pub paths: Vec<Vec<[f64; 2]>>,
}

/// A row of a column: nodes of one depth.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    column: usize,
    top: f64,
    height: f64,
}

/// Lays out nodes of width `width` and the given heights; edges lead from lower to higher places.
pub(super) fn lay_out(width: f64, heights: &[f64], edges: &[[usize; 2]]) -> Drawn {
    let depths = depths(heights.len(), edges);
    let members = ordered(&depths, edges);
    let tall: Vec<f64> = members.iter().map(|nodes| nodes.iter().map(|&n| heights[n]).fold(0.0, f64::max)).collect();
    let widths: Vec<f64> = members.iter().map(|n| n.len() as f64 * (width + GAP_ALONG) - GAP_ALONG).collect();
    let rows = wrapped(&tall, &widths);
    let columns = rows.last().map_or(0, |row| row.column + 1);
    let lanes = Lanes::of(&depths, &rows, edges, columns);

    // From the left: a column, its gutter, the next column.
    let mut lefts = Vec::new();
    let mut x = GUTTER;
    for column in 0..columns {
        let wide = |r: usize| if rows[r].column == column { widths[r] } else { 0.0 };
        let wide = (0..rows.len()).map(wide).fold(0.0, f64::max);
        lefts.push((x, wide));
        x += wide + 2.0 * GUTTER + LANE * lanes.counts[column] as f64;
    }
    let head = LANE * lanes.over as f64 + GUTTER;
    let mut boxes = vec![[0.0; 3]; heights.len()];
    for (row, nodes) in rows.iter().zip(&members) {
        let (left, wide) = lefts[row.column];
        let own = nodes.len() as f64 * (width + GAP_ALONG) - GAP_ALONG;
        for (i, &node) in nodes.iter().enumerate() {
            let top = head + row.top + (row.height - heights[node]) / 2.0;
            boxes[node] = [left + (wide - own) / 2.0 + i as f64 * (width + GAP_ALONG), top, heights[node]];
        }
    }
    let gutter = |column: usize, lane: usize| lefts[column].0 + lefts[column].1 + GUTTER + LANE * lane as f64;
    let below = |r: usize| head + rows[r].top + rows[r].height;
    let paths = edges
        .iter()
        .map(|&[from, to]| {
            let ([x, top, tall], [to_x, to_top, _]) = (boxes[from], boxes[to]);
            let (r, to_r) = (depths[from], depths[to]);
            let middle = width / 2.0;
            if is_short(&rows, r, to_r) {
                let (x, to_x) = (x + middle, to_x + middle);
                // Sideways between the rows alone: neighbours may be taller.
                return vec![[x, top + tall], [x, below(r)], [to_x, head + rows[to_r].top], [to_x, to_top]];
            }
            let (out, into) = (below(r) + 0.3 * GAP_DOWN, head + rows[to_r].top - 0.4 * GAP_DOWN);
            let (x, to_x) = (x + middle + ASIDE, to_x + middle + ASIDE);
            let (a, b) = (rows[r].column, rows[to_r].column);
            let first = gutter(a, lanes.gutter[&(from, a)]);
            let mut path = vec![[x, top + tall], [x, out], [first, out]];
            if b > a + 1 {
                let last = gutter(b - 1, lanes.gutter[&(from, b - 1)]);
                let y = 4.0 + LANE * lanes.corridor[&from] as f64;
                path.extend([[first, y], [last, y], [last, into]]);
            } else {
                path.push([first, into]);
            }
            path.extend([[to_x, into], [to_x, to_top]]);
            path
        })
        .collect();
    let height = rows.iter().map(|row| head + row.top + row.height + GAP_DOWN).fold(head, f64::max);
    Drawn { width: x, height, boxes, paths }
}

/// The longest way from a node without input.
fn depths(nodes: usize, edges: &[[usize; 2]]) -> Vec<usize> {
    let mut depths = vec![0; nodes];
    let mut sorted = edges.to_vec();
    sorted.sort_unstable_by_key(|edge| edge[1]);
    // Edges lead upwards, so what a node reads is settled before it.
    for [from, to] in sorted {
        depths[to] = depths[to].max(depths[from] + 1);
    }
    depths
}

/// The nodes of every depth, each below what it reads.
fn ordered(depths: &[usize], edges: &[[usize; 2]]) -> Vec<Vec<usize>> {
    let mut rows = vec![Vec::new(); depths.iter().max().map_or(0, |deepest| deepest + 1)];
    for (node, &depth) in depths.iter().enumerate() {
        rows[depth].push(node);
    }
    let mut reads: Vec<Vec<usize>> = vec![Vec::new(); depths.len()];
    edges.iter().for_each(|&[from, to]| reads[to].push(from));
    let mut places = vec![0.0; depths.len()];
    for row in &mut rows {
        let wish = |node: usize| reads[node].iter().map(|&n| places[n]).sum::<f64>() / reads[node].len().max(1) as f64;
        let mut wishes: Vec<(f64, usize)> = row.iter().map(|&node| (wish(node), node)).collect();
        wishes.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (i, (_, node)) in wishes.iter().enumerate() {
            row[i] = *node;
            places[*node] = i as f64 - (wishes.len() - 1) as f64 / 2.0;
        }
    }
    rows
}

/// Rows cut into columns of about one height, as many as make the picture's shape good.
fn wrapped(heights: &[f64], widths: &[f64]) -> Vec<Row> {
    let total: f64 = heights.iter().map(|h| h + GAP_DOWN).sum();
    let cut = |columns: usize| -> Vec<Row> {
        let limit = total / columns as f64;
        let (mut column, mut top) = (0, 0.0);
        heights
            .iter()
            .map(|&height| {
                // The last column takes what is left.
                if top > 0.0 && top + height > limit + GAP_DOWN && column + 1 < columns {
                    (column, top) = (column + 1, 0.0);
                }
                let row = Row { column, top, height };
                top += height + GAP_DOWN;
                row
            })
            .collect()
    };
    let shape = |rows: &[Row]| -> f64 {
        let mut wide: HashMap<usize, f64> = HashMap::new();
        for (row, width) in rows.iter().zip(widths) {
            let most = wide.entry(row.column).or_default();
            *most = most.max(*width);
        }
        let tall = rows.iter().map(|row| row.top + row.height).fold(1.0, f64::max);
        let wide: f64 = wide.values().map(|w| w + 4.0 * GUTTER).sum();
        (wide / tall / ASPECT).ln().abs()
    };
    (1..=heights.len().clamp(1, 40)).map(cut).min_by(|a, b| shape(a).total_cmp(&shape(b))).unwrap_or_default()
}

/// Whether an edge leads to the very next row of the same column.
fn is_short(rows: &[Row], from: usize, to: usize) -> bool {
    to == from + 1 && rows[from].column == rows[to].column
}

/// The lanes of edges that pass other nodes; all from one node share theirs.
struct Lanes {
    /// By node and column.
    gutter: HashMap<(usize, usize), usize>,
    /// Lanes per gutter.
    counts: Vec<usize>,
    /// Above the columns, by node.
    corridor: HashMap<usize, usize>,
    over: usize,
}

impl Lanes {
    fn of(depths: &[usize], rows: &[Row], edges: &[[usize; 2]], columns: usize) -> Self {
        let mut upright: HashMap<(usize, usize), [f64; 2]> = HashMap::new();
        let mut level: HashMap<usize, [f64; 2]> = HashMap::new();
        fn reach(span: &mut [f64; 2], to: f64) {
            *span = [span[0].min(to), span[1].max(to)];
        }
        const EMPTY: [f64; 2] = [f64::INFINITY, f64::NEG_INFINITY];
        for &[from, to] in edges {
            let (row, to_row) = (rows[depths[from]], rows[depths[to]]);
            if is_short(rows, depths[from], depths[to]) {
                continue;
            }
            let (a, b) = (row.column, to_row.column);
            let last = (b - a).max(1) - 1 + a;
            let (out, into) = (row.top + row.height, to_row.top);
            reach(upright.entry((from, a)).or_insert(EMPTY), out);
            reach(upright.entry((from, last)).or_insert(EMPTY), into);
            if last > a {
                for column in [a, last] {
                    reach(upright.entry((from, column)).or_insert(EMPTY), -GUTTER);
                    reach(level.entry(from).or_insert(EMPTY), column as f64);
                }
            }
        }
        let mut counts = vec![0; columns];
        let mut gutter = HashMap::new();
        for (column, count) in counts.iter_mut().enumerate() {
            let spans = upright.iter().filter(|((_, c), _)| *c == column).map(|((node, _), span)| (*node, *span));
            let placed = packed(spans.collect(), GAP_DOWN);
            *count = placed.values().max().map_or(0, |lane| lane + 1);
            gutter.extend(placed.into_iter().map(|(node, lane)| ((node, column), lane)));
        }
        let corridor = packed(level.into_iter().collect(), 0.5);
        let over = corridor.values().max().map_or(0, |lane| lane + 1);
        Self { gutter, counts, corridor, over }
    }
}

/// The first free lane for every span, short spans first, so that they lie inside.
fn packed(mut spans: Vec<(usize, [f64; 2])>, apart: f64) -> HashMap<usize, usize> {
    spans.sort_by(|(a, x), (b, y)| (x[1] - x[0]).total_cmp(&(y[1] - y[0])).then(a.cmp(b)));
    let mut lanes: Vec<Vec<[f64; 2]>> = Vec::new();
    let mut found = HashMap::new();
    for (node, span) in spans {
        let free = |lane: &Vec<[f64; 2]>| lane.iter().all(|s| s[1] + apart <= span[0] || span[1] + apart <= s[0]);
        let lane = lanes.iter().position(free).unwrap_or_else(|| {
            lanes.push(Vec::new());
            lanes.len() - 1
        });
        lanes[lane].push(span);
        found.insert(node, lane);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: f64 = 100.0;

    fn check(heights: &[f64], edges: &[[usize; 2]]) -> Drawn {
        let drawn = lay_out(WIDTH, heights, edges);
        for (i, [x, y, h]) in drawn.boxes.iter().copied().enumerate() {
            assert!(x >= 0.0 && y >= 0.0 && x + WIDTH <= drawn.width && y + h <= drawn.height, "node {i} is inside");
            for (j, [u, v, g]) in drawn.boxes[..i].iter().copied().enumerate() {
                assert!(x + WIDTH <= u || u + WIDTH <= x || y + h <= v || v + g <= y, "nodes {i} and {j} are apart");
            }
        }
        for (path, [from, to]) in drawn.paths.iter().zip(edges) {
            let (start, end) = (path[0], path[path.len() - 1]);
            let (a, b) = (drawn.boxes[*from], drawn.boxes[*to]);
            assert!((start[0] - a[0] - WIDTH / 2.0).abs() <= ASIDE && start[1] == a[1] + a[2]);
            assert!((end[0] - b[0] - WIDTH / 2.0).abs() <= ASIDE && end[1] == b[1]);
            // No piece goes through a box: upright and level ones, and the direct ones between neighbouring rows.
            for pair in path.windows(2) {
                for (node, [x, y, h]) in drawn.boxes.iter().enumerate() {
                    let inside = |t: f64| {
                        let at = [0, 1].map(|i| pair[0][i] + t * (pair[1][i] - pair[0][i]));
                        at[0] > *x && at[0] < x + WIDTH && at[1] > *y && at[1] < y + h
                    };
                    let through = (0..=200).any(|t| inside(f64::from(t) / 200.0));
                    assert!(!through, "the edge {from} → {to} goes through {node}: {path:?} {:?}", drawn.boxes[node]);
                }
            }
        }
        drawn
    }

    #[test]
    fn chains_wrap_into_columns() {
        let heights = vec![30.0; 60];
        let edges: Vec<[usize; 2]> = (1..60).map(|i| [i - 1, i]).collect();
        let drawn = check(&heights, &edges);
        assert!((0.7..2.8).contains(&(drawn.width / drawn.height)), "{} × {}", drawn.width, drawn.height);
    }

    #[test]
    fn residuals_branches_and_far_edges_pass_beside_the_nodes() {
        let mut edges: Vec<[usize; 2]> = (1..40).map(|i| [i - 1, i]).collect();
        edges.extend((0..36).step_by(4).map(|i| [i, i + 4]));
        edges.extend([[0, 39], [3, 30], [3, 20]]);
        check(&[28.0; 40], &edges);
        // Three branches that join.
        check(&[20.0, 34.0, 34.0, 20.0, 34.0], &[[0, 1], [0, 2], [0, 3], [1, 4], [2, 4], [3, 4], [0, 4]]);
        // Everything reads everything.
        let dense: Vec<[usize; 2]> = (0..12).flat_map(|to| (0..to).map(move |from| [from, to])).collect();
        check(&[30.0; 12], &dense);
    }

    #[test]
    fn one_node_and_none() {
        check(&[30.0], &[]);
        assert!(lay_out(WIDTH, &[], &[]).boxes.is_empty());
    }
}
