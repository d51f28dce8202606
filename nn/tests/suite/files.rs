//! Files are read and replaced only where that can do no harm.

use std::fs;
use std::path::{Path, PathBuf};

use burlap_nn::data::{csv_dataset, idx::read_idx};
use burlap_nn::files::{self, FileError};
use burlap_nn::{Activation, Checkpoint, Error, Model, mlp};

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn put(path: &Path, text: &str) -> Result<(), FileError> {
    files::replace(path, |out| out.write_all(text.as_bytes()))
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    /// What is no regular file, by what it is called.
    fn special(dir: &Path) -> Vec<(PathBuf, &'static str)> {
        let pipe = dir.join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let socket = dir.join("socket");
        UnixListener::bind(&socket).unwrap();
        let link = dir.join("link to a device");
        symlink("/dev/zero", &link).unwrap();
        let folder = dir.join("folder");
        fs::create_dir(&folder).unwrap();
        vec![
            (pipe, "a pipe"),
            (socket, "a socket"),
            (link, "a character device"),
            ("/dev/null".into(), "a character device"),
            (folder, "a folder"),
        ]
    }

    #[test]
    fn only_regular_files_are_read_and_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let special = special(dir.path());
        let before = names(dir.path());
        for (path, what) in &special {
            let said = format!("{}: is {what}, but a regular file is needed", path.display());
            let errors: [Error; 8] = [
                files::open(path).map(drop).unwrap_err().into(),
                files::read(path, 10).map(drop).unwrap_err().into(),
                files::open_to_append(path).map(drop).unwrap_err().into(),
                files::check_replaceable(path).unwrap_err().into(),
                Checkpoint::load(path).map(drop).unwrap_err(),
                Checkpoint::default().save(path).unwrap_err(),
                read_idx(path).map(drop).unwrap_err().into(),
                csv_dataset(path).map(drop).unwrap_err().into(),
            ];
            for error in errors {
                assert_eq!(error.to_string(), said);
                // The sentence is not told again as its cause.
                let mut cause = std::error::Error::source(&error);
                while let Some(next) = cause {
                    assert!(!said.contains(&next.to_string()), "{next}");
                    cause = next.source();
                }
            }
        }
        // All of them are still there, and nothing is beside them.
        assert_eq!(names(dir.path()), before);
        assert!(fs::symlink_metadata(&special[2].0).unwrap().is_symlink());
    }

    #[test]
    fn links_are_followed_to_what_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let target = inner.join("target");
        symlink("inner/middle", dir.path().join("link")).unwrap();
        symlink("target", inner.join("middle")).unwrap();
        let link = dir.path().join("link");
        // What they lead to need not be there.
        for text in ["first", "second"] {
            put(&link, text).unwrap();
            assert_eq!(fs::read_to_string(&target).unwrap(), text);
            assert_eq!(
                (names(dir.path()), names(&inner)),
                (
                    vec!["inner".to_owned(), "link".to_owned()],
                    vec!["middle".to_owned(), "target".to_owned()],
                )
            );
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        }
        symlink("b", dir.path().join("a")).unwrap();
        symlink("a", dir.path().join("b")).unwrap();
        assert!(matches!(put(&dir.path().join("a"), ""), Err(FileError::Links { .. })));
    }

    #[test]
    fn read_only_files_are_kept_and_others_keep_their_permissions() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        put(&path, "kept").unwrap();
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o444);
        for result in [
            put(&path, "lost"),
            files::check_replaceable(&path),
            files::open_to_append(&path).map(drop),
        ] {
            let error = result.unwrap_err();
            assert!(matches!(error, FileError::ReadOnly { .. }), "{error}");
            assert!(error.to_string().ends_with("file: is read-only"), "{error}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "kept");
        mode(0o640);
        put(&path, "changed").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(names(dir.path()), ["file"]);
    }
}

#[test]
fn what_a_killed_writer_left_is_removed_and_what_a_living_one_writes_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (path, other) = (dir.path().join("run"), dir.path().join("run2"));
    // The name that a writer uses, seen while it writes.
    let seen = |path: &Path| {
        let mut seen = Vec::new();
        files::replace(path, |out| {
            seen = names(dir.path());
            out.write_all(b"x")
        })
        .unwrap();
        let hidden = |name: &String| name.ends_with(".tmp");
        seen.into_iter().filter(hidden).collect::<Vec<String>>()
    };
    let [own] = &seen(&path)[..] else { panic!() };
    let [others] = &seen(&other)[..] else { panic!() };
    assert_ne!(own, others);
    // Those of killed processes: nobody holds their locks.
    let random = own.len() - ".tmp".len() - 6;
    let left = format!("{}AAAAAA.tmp", &own[..random]);
    let kept = [others.clone(), format!("{}AAAAAAA.tmp", &own[..random]), ".run.tmp".to_owned()];
    for name in kept.iter().chain([&left]) {
        fs::write(dir.path().join(name), "half").unwrap();
    }
    files::replace(&path, |out| {
        // A second writer of the same file, within the first one.
        put(&path, "inner").unwrap();
        out.write_all(b"outer")
    })
    .unwrap();
    let mut expected = [&kept[..], &["run".to_owned(), "run2".to_owned()]].concat();
    expected.sort();
    assert_eq!(names(dir.path()), expected);
    assert_eq!(fs::read_to_string(&path).unwrap(), "outer");
}

#[test]
fn writers_of_one_file_do_not_disturb_one_another() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shared");
    std::thread::scope(|scope| {
        for writer in ["a", "b", "c", "d"] {
            let path = &path;
            // Each takes away what the others seem to have left.
            scope.spawn(move || (0..12).for_each(|_| put(path, &writer.repeat(9)).unwrap()));
        }
    });
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.len() == 9 && text.chars().all(|c| text.starts_with(c)), "{text}");
    assert_eq!(names(dir.path()), ["shared"]);
}

#[test]
fn a_write_that_fails_leaves_the_old_contents_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    put(&path, "old").unwrap();
    let failing = files::replace(&path, |out| {
        out.write_all(b"half")?;
        Err(std::io::Error::other("the pen is empty"))
    });
    let said = failing.unwrap_err().to_string();
    assert!(said.ends_with("file: cannot be written: the pen is empty"), "{said}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    files::check_replaceable(&path).unwrap();
    assert_eq!(names(dir.path()), ["file"]);
}

#[test]
fn what_could_not_be_written_is_known_before() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing/file");
    let error = files::check_replaceable(&missing).unwrap_err();
    assert!(matches!(&error, FileError::NoFolder { folder, .. } if folder.ends_with("missing")));
    assert!(!error.to_string().contains("os error"), "{error}");
    for folder in [format!("{}/new/", dir.path().display()), "..".to_owned(), "/".to_owned()] {
        let error = files::check_replaceable(&folder).unwrap_err();
        assert!(matches!(error, FileError::NotRegular { .. }), "{folder}: {error}");
    }
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn a_model_that_no_memory_holds_is_an_error() {
    let net = mlp(&[64, 1_000_000_000, 1_000_000_000, 10], Activation::Relu).unwrap();
    let error = Model::new(net).unwrap_err();
    let Error::Memory { total, short } = &error else { panic!("{error}") };
    assert!(*total > 1_000_000_000_000_000_000 && short.needed == 8 * *total as u64);
    let said = error.to_string();
    assert!(said.contains("parameters does not fit into memory: 8000000"), "{said}");
}
