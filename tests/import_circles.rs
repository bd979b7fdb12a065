//! Promise: no circle of imports between the files of a crate, in either crate. A circle that Rust's own parents and
//! children make (a file beside the files that it declares) is none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A module's place in its crate, from the root.
type Module = Vec<String>;

/// What a file declares and imports.
#[derive(Default)]
struct File {
    children: BTreeSet<String>,
    uses: Vec<Use>,
}

/// One path of a `use`.
struct Use {
    path: Vec<String>,
    /// What it is called here.
    name: String,
}

/// All files of a crate that `lib.rs` leads to.
fn files(folder: &Path) -> BTreeMap<Module, File> {
    let mut files = BTreeMap::new();
    let mut open: Vec<(Module, PathBuf)> = vec![(Vec::new(), folder.join("lib.rs"))];
    while let Some((module, path)) = open.pop() {
        let text = std::fs::read_to_string(&path).unwrap();
        let file = read(&text);
        // Children lie in the folder of a mod.rs, or in the folder of the file's name.
        let beside = if path.ends_with("lib.rs") || path.ends_with("mod.rs") {
            path.parent().unwrap().to_owned()
        } else {
            path.with_extension("")
        };
        for child in &file.children {
            let flat = beside.join(format!("{child}.rs"));
            let path = if flat.exists() { flat } else { beside.join(child).join("mod.rs") };
            open.push(([module.clone(), vec![child.clone()]].concat(), path));
        }
        files.insert(module, file);
    }
    files
}

/// Modules that are files and `use` statements; what follows a file's tests is not looked at.
fn read(text: &str) -> File {
    let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").map(|line| line.split("//").next().unwrap());
    let text = lines.collect::<Vec<_>>().join("\n");
    let mut file = File::default();
    for statement in text.split_inclusive([';', '{', '}']) {
        let Some(statement) = statement.trim().strip_suffix(';') else { continue };
        let words: Vec<&str> = statement.split_whitespace().skip_while(|word| *word != "mod").collect();
        if let ["mod", name] = words[..] {
            file.children.insert(name.to_owned());
        }
    }
    let mut rest = text.as_str();
    while let Some(start) = rest.find("use ") {
        let before = rest[..start].rsplit(['\n', '}', ';']).next().unwrap().trim();
        rest = &rest[start + 4..];
        let end = rest.find(';').unwrap_or(rest.len());
        // A text may have a line that begins so.
        let is_path = |letter: char| letter.is_alphanumeric() || letter.is_whitespace() || "_:{},*".contains(letter);
        if (before.is_empty() || before.starts_with("pub")) && rest[..end].chars().all(is_path) {
            let statement: String = rest[..end].split_whitespace().collect::<Vec<_>>().join(" ");
            tree(&[], &statement, &mut file.uses);
        }
    }
    file
}

/// The paths of a tree such as `a::{b, c::{d, e as f}}`.
fn tree(before: &[String], text: &str, uses: &mut Vec<Use>) {
    let text = text.trim();
    if let Some((path, inside)) = text.split_once('{') {
        let before: Vec<String> = before.iter().cloned().chain(segments(path)).collect();
        let inside = inside.strip_suffix('}').unwrap();
        let (mut depth, mut from) = (0, 0);
        for (at, letter) in inside.char_indices().chain([(inside.len(), ',')]) {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    if !inside[from..at].trim().is_empty() {
                        tree(&before, &inside[from..at], uses);
                    }
                    from = at + 1;
                }
                _ => {}
            }
        }
        return;
    }
    let (path, name) = text.split_once(" as ").map_or((text, None), |(path, name)| (path, Some(name)));
    let mut path: Vec<String> = before.iter().cloned().chain(segments(path)).collect();
    if path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let name = name.map_or_else(|| path.last().cloned().unwrap_or_default(), str::to_owned);
    uses.push(Use { path, name });
}

fn segments(path: &str) -> impl Iterator<Item = String> + '_ {
    path.split("::").map(str::trim).filter(|segment| !segment.is_empty()).map(str::to_owned)
}

/// The file that has what `path` names, seen from `module`; re-exports are followed. Nothing for other crates.
fn resolve(files: &BTreeMap<Module, File>, module: &Module, path: &[String], depth: usize) -> Option<Module> {
    let (mut at, mut rest) = match path.first()?.as_str() {
        "crate" => (Vec::new(), &path[1..]),
        "self" => (module.clone(), &path[1..]),
        "super" => (module.clone(), path),
        first if files[module].children.contains(first) => (module.clone(), path),
        _ => return None,
    };
    while rest.first().is_some_and(|segment| segment == "super") {
        at.pop();
        rest = &rest[1..];
    }
    while let Some((segment, after)) = rest.split_first() {
        if files[&at].children.contains(segment) {
            at.push(segment.clone());
            rest = after;
            continue;
        }
        return match files[&at].uses.iter().find(|found| found.name == *segment && depth < 8) {
            Some(found) => {
                let path: Vec<String> = found.path.iter().chain(after).cloned().collect();
                resolve(files, &at, &path, depth + 1)
            }
            None => Some(at),
        };
    }
    Some(at)
}

/// Which other files each file imports from; its parents and children aside.
fn imports(files: &BTreeMap<Module, File>) -> BTreeMap<Module, BTreeSet<Module>> {
    let of = |module: &Module, file: &File| {
        let found = file.uses.iter().filter_map(|found| resolve(files, module, &found.path, 0));
        found.filter(|other| !module.starts_with(other) && !other.starts_with(module)).collect()
    };
    files.iter().map(|(module, file)| (module.clone(), of(module, file))).collect()
}

/// A circle, as the files on the way round.
fn circle(imports: &BTreeMap<Module, BTreeSet<Module>>) -> Option<Vec<String>> {
    /// Follows imports from `at`; `way` leads there, and from what is `done` no circle is reached.
    fn follow<'m>(
        imports: &'m BTreeMap<Module, BTreeSet<Module>>,
        at: &'m Module,
        way: &mut Vec<&'m Module>,
        done: &mut BTreeSet<&'m Module>,
    ) -> Option<Vec<&'m Module>> {
        if let Some(start) = way.iter().position(|module| *module == at) {
            return Some([&way[start..], &[at]].concat());
        }
        if done.contains(at) {
            return None;
        }
        way.push(at);
        let found = imports[at].iter().find_map(|next| follow(imports, next, way, done));
        way.pop();
        done.insert(at);
        found
    }
    let mut done = BTreeSet::new();
    let found = imports.keys().find_map(|start| follow(imports, start, &mut Vec::new(), &mut done))?;
    Some(found.iter().map(|module| module.join("::")).collect())
}

#[test]
fn files_import_in_no_circle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["src", "core/src", "core/numerics/src"].map(|folder| root.join(folder)) {
        let files = files(&folder);
        assert!(files.len() > 40, "{} has {} files", folder.display(), files.len());
        if let Some(circle) = circle(&imports(&files)) {
            panic!("imports go in a circle in {}: {}", folder.display(), circle.join(" → "));
        }
    }
}

#[test]
fn circles_are_seen_through_lists_names_and_re_exports() {
    let module = |name: &str| vec![name.to_owned()];
    let circle_of = |root: &str, a: &str, b: &str| {
        let files = [(Vec::new(), root), (module("a"), a), (module("b"), b)];
        circle(&imports(&files.into_iter().map(|(module, text)| (module, read(text))).collect()))
    };
    let root = "mod a;\npub(crate) mod b;\npub use b::Thing;\nfn main() {}\n";
    assert_eq!(circle_of(root, "use super::b::Thing;", "use super::a::Other;").unwrap(), ["a", "b", "a"]);
    assert!(
        circle_of(root, "use std::{fmt,\n    rc::Rc};\nuse crate::{\n    Thing as T, };", "pub use super::a;")
            .is_some()
    );
    assert!(circle_of(root, "use super::b::Thing;", "// use super::a::Other;").is_none());
    assert!(
        circle_of(root, "use super::b::Thing;", "fn f() {}\n#[cfg(test)]\nmod tests { use super::a::Other; }")
            .is_none()
    );
    // What the parent has itself makes none.
    assert!(circle_of(root, "use super::{main, b::Thing};", "use super::main;").is_none());
}
