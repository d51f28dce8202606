//! The order of the folders of `autodiff/src`: each knows only what lies before it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Folders and files of the crate's root; those of one layer may know one another.
const LAYERS: &[&[&str]] = &[
    &["error", "dtype", "shape", "array"],
    &["scalar"],
    &["graph"],
    &["work"],
    &["tape"],
    &["ops"],
    &["transform"],
    &["plan"],
    &["backend"],
    &["cpu"],
    &["interpreter"],
    &["program"],
    &["testing"],
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// All Rust files below a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The code of a file without comments and without what is compiled for tests alone.
fn code(text: &str) -> String {
    let mut lines = Vec::new();
    let mut skipping = None;
    let mut test = false;
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or("");
        let indent = code.len() - code.trim_start().len();
        if let Some(start) = skipping {
            // The end of a block is indented like its beginning.
            if indent == start && code.trim() == "}" {
                skipping = None;
            }
            continue;
        }
        if code.trim_start().starts_with("#[cfg(") && code.contains("test") {
            test = true;
        } else if test && code.trim_start().starts_with("mod ") {
            test = false;
            skipping = code.trim_end().ends_with('{').then_some(indent);
        } else {
            lines.push(code);
        }
    }
    lines.join("\n")
}

/// Modules that a file declares for tests alone.
fn tests_of(text: &str) -> Vec<String> {
    let declared = text.lines().zip(text.lines().skip(1));
    let test = declared.filter(|(a, _)| a.trim_start().starts_with("#[cfg(") && a.contains("test"));
    let name = |line: &str| Some(line.trim().strip_prefix("mod ")?.strip_suffix(';')?.to_owned());
    test.filter_map(|(_, line)| name(line)).collect()
}

/// The first names behind every `path`: of `path::name` and `path::{name, name::{…}, …}`.
fn names_behind(code: &str, path: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(path) {
        // A macro names the crate by `$crate`, which is this one too.
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &code[at + path.len()..];
        let Some(list) = rest.strip_prefix('{') else {
            names.insert(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut start = 0;
        for (i, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    names.insert(word(&list[start..i]));
                    start = i + 1;
                    if c == '}' {
                        break;
                    }
                }
                _ => {}
            }
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// The module from which the root exports a name.
fn exports(root: &str) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    for (at, _) in root.match_indices("pub use ") {
        let path = &root[at + "pub use ".len()..];
        let path = &path[..path.find(';').unwrap()];
        let (module, names) = path.split_once("::").unwrap();
        for name in names.trim_matches(['{', '}']).split(',') {
            exports.insert(name.trim().to_owned(), module.to_owned());
        }
    }
    exports
}

#[test]
fn no_folder_knows_a_later_one() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let root = code(&std::fs::read_to_string(src.join("lib.rs")).unwrap());
    let exports = exports(&root);
    let mut all = Vec::new();
    files(&src, &mut all);
    let mut wrong = Vec::new();
    let mut edges = BTreeSet::new();
    let mut tests = BTreeSet::new();
    for path in &all {
        let text = std::fs::read_to_string(path).unwrap();
        tests.extend(tests_of(&text).iter().map(|n| path.with_file_name(format!("{n}.rs"))));
    }
    for path in all.iter().filter(|path| !tests.contains(*path)) {
        let inside = path.strip_prefix(&src).unwrap();
        let depth = inside.components().count();
        let own = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let own = own.trim_end_matches(".rs");
        if own == "lib" {
            continue;
        }
        let from = layer(own).unwrap_or_else(|| panic!("{own} has no place among the layers"));
        let code = code(&std::fs::read_to_string(path).unwrap());
        // How far `super` leads before it is the root.
        let is_module = path.file_name().is_some_and(|name| name == "mod.rs");
        let up = "super::".repeat(if is_module { depth - 1 } else { depth });
        for name in names_behind(&code, "crate::").into_iter().chain(names_behind(&code, &up)) {
            let module = exports.get(&name).unwrap_or(&name);
            let Some(to) = layer(module) else { panic!("{own} uses {name}, of no layer") };
            edges.insert((from, to));
            if to > from {
                wrong.push(format!("{} uses {name} of {module}", inside.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "these know a later layer:\n{}", wrong.join("\n"));
    // The search finds what there is: each layer but the first knows an earlier one.
    for (number, layer) in LAYERS.iter().enumerate().skip(1) {
        let knows = edges.iter().any(|&(from, to)| from == number && to < number);
        assert!(knows, "{layer:?} know nothing");
    }
}

/// The search itself, on what it must find and what it must not.
#[test]
fn names_are_found() {
    let text = "use crate::{a::{x, y}, B, c};\n// crate::no\n    crate::d::e();\nuse other_crate::f;\n\
                #[cfg(test)]\nmod tests {\n    use crate::g;\n}\n$crate::h!();\n#[cfg(test)]\nmod t;\n";
    let found: Vec<String> = names_behind(&code(text), "crate::").into_iter().collect();
    assert_eq!(found, ["B", "a", "c", "d", "h"]);
    assert_eq!(tests_of(text), ["t"]);
}
