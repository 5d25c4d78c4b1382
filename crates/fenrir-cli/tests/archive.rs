//! The zips: same files, same bytes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use fenrir_cli::archive::{Packed, Store, UNZIPPED_LIMIT, Unpackable, hash};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use tempfile::{TempDir, tempdir};
use zip::write::SimpleFileOptions;

type Files = BTreeMap<String, Vec<u8>>;

fn put(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn folder<'a>(names: impl IntoIterator<Item = &'a str>) -> TempDir {
    let folder = tempdir().unwrap();
    for name in names {
        put(folder.path(), name, name.as_bytes());
    }
    folder
}

/// Packs `from`, and gives the bytes of the zip.
fn pack(from: &Path) -> Result<(Packed, Vec<u8>), Unpackable> {
    let to = tempdir().unwrap();
    let store = Store::new(to.path().join("packed"));
    let packed = store.zip_folder(from, &from.join("template.yml"))?;
    let bytes = fs::read(store.path(&packed)).unwrap();
    Ok((packed, bytes))
}

fn unzip(bytes: &[u8]) -> Files {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    (0..archive.len())
        .map(|index| {
            let mut file = archive.by_index(index).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            (file.name().unwrap().into_owned(), bytes)
        })
        .collect()
}

fn names(from: &Path) -> Vec<String> {
    unzip(&pack(from).unwrap().1).into_keys().collect()
}

fn files() -> impl Strategy<Value = Files> {
    // Folders end in `.d`, so that no name is both a file and a folder.
    let name = "([a-zé]{1,3}\\.d/){0,2}[a-zA-Z0-9 _-]{1,8}";
    btree_map(name, vec(any::<u8>(), 0..300), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_same_files_are_the_same_bytes(files in files(), seconds in 0_u64..2_000_000_000) {
        let (first, second) = (tempdir().unwrap(), tempdir().unwrap());
        for (name, bytes) in &files {
            put(first.path(), name, bytes);
        }
        // Written in another order, at another time, with another mode, beside files that are never packed.
        for (name, bytes) in files.iter().rev() {
            put(second.path(), name, bytes);
            let file = fs::File::options().write(true).open(second.path().join(name)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
            set_mode(&second.path().join(name), 0o600);
        }
        put(second.path(), ".git/HEAD", b"ref");
        put(second.path(), "template.yml", b"Resources: {}");
        let (a, b) = (pack(first.path()).unwrap(), pack(second.path()).unwrap());
        prop_assert_eq!(&a.1, &b.1);
        prop_assert_eq!(&a.0, &b.0);
        prop_assert_eq!(unzip(&a.1), files);
    }

    #[test]
    fn other_files_are_other_bytes(files in files(), byte in any::<u8>()) {
        let folder = tempdir().unwrap();
        for (name, bytes) in &files {
            put(folder.path(), name, bytes);
        }
        let before = pack(folder.path()).unwrap().0;
        let (name, bytes) = files.iter().next().unwrap();
        put(folder.path(), name, &[bytes.as_slice(), &[byte]].concat());
        prop_assert_ne!(before.sha256, pack(folder.path()).unwrap().0.sha256);
    }
}

#[test]
fn the_name_of_a_packed_file_is_its_hash() {
    let from = folder(["app.py"]);
    let to = tempdir().unwrap();
    let store = Store::new(to.path().to_owned());
    let packed = store.zip_folder(from.path(), Path::new("template.yml")).unwrap();
    assert_eq!(
        hash(&store.path(&packed)).unwrap(),
        (packed.sha256.clone(), packed.size)
    );
    assert_eq!(packed.file, format!("{}.zip", packed.sha256));
}

#[test]
fn every_entry_can_be_executed_and_has_no_time() {
    let (_, bytes) = pack(folder(["bootstrap"]).path()).unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let entry = archive.by_index(0).unwrap();
    assert_eq!(entry.unix_mode().unwrap() & 0o777, 0o755);
    assert_eq!(entry.last_modified().unwrap(), zip::DateTime::DEFAULT);
}

#[test]
fn ignore_rules_are_honoured_and_fenrirs_own_are_the_stronger() {
    let from = folder([
        "app.py",
        "notes.md",
        "lib/a.pyc",
        "node_modules/m/index.js",
        "__pycache__/x",
        ".env",
    ]);
    put(from.path(), ".gitignore", b"*.pyc\nnode_modules/\n");
    put(from.path(), ".fenrirignore", b"*.md\n!node_modules/\n");
    assert_eq!(names(from.path()), [".env", "app.py", "node_modules/m/index.js"]);
}

#[test]
fn rules_outside_of_the_folder_say_nothing() {
    let outer = folder(["app/dist/a.js"]);
    put(outer.path(), ".gitignore", b"*.js\ndist\n");
    assert_eq!(names(&outer.path().join("app/dist")), ["a.js"]);
}

#[test]
fn an_empty_folder_is_refused() {
    let from = folder(["only.md"]);
    put(from.path(), ".fenrirignore", b"*\n");
    assert!(matches!(pack(from.path()), Err(Unpackable::Empty(_))));
}

#[test]
fn code_larger_than_lambda_takes_is_refused_before_it_is_read() {
    let from = folder(["a"]);
    let file = fs::File::create(from.path().join("hole")).unwrap();
    file.set_len(UNZIPPED_LIMIT).unwrap();
    assert!(matches!(pack(from.path()), Err(Unpackable::TooLarge { .. })));
}

#[test]
fn a_zip_is_taken_as_it_is_and_nothing_else_is_a_zip() {
    let folder = folder(["text"]);
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("bootstrap", SimpleFileOptions::default()).unwrap();
    writer.write_all(b"#!").unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    put(folder.path(), "code.zip", &bytes);
    let store = Store::new(folder.path().join("packed"));
    let packed = store.take_zip(&folder.path().join("code.zip")).unwrap();
    assert_eq!(fs::read(store.path(&packed)).unwrap(), bytes);
    assert!(matches!(
        store.take_zip(&folder.path().join("text")),
        Err(Unpackable::NoZip(_))
    ));
}

#[cfg(unix)]
mod links {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_link_inside_is_what_it_leads_to() {
        let from = folder(["lib/a.py"]);
        symlink("a.py", from.path().join("lib/b.py")).unwrap();
        symlink("lib", from.path().join("lib64")).unwrap();
        assert_eq!(names(from.path()), ["lib/a.py", "lib/b.py", "lib64/a.py", "lib64/b.py"]);
    }

    #[test]
    fn a_link_that_leads_out_is_refused() {
        let (from, other) = (folder(["a"]), folder(["secret"]));
        for target in [
            other.path().join("secret"),
            other.path().to_owned(),
            "../".into(),
            "/etc".into(),
        ] {
            let link = from.path().join("link");
            symlink(target, &link).unwrap();
            assert!(matches!(pack(from.path()), Err(Unpackable::Link(name)) if name == "link"));
            fs::remove_file(link).unwrap();
        }
    }

    #[test]
    fn a_link_in_a_circle_or_to_nothing_is_refused() {
        for target in ["nothing", "link", "."] {
            let from = folder(["a"]);
            symlink(target, from.path().join("link")).unwrap();
            assert!(
                matches!(pack(from.path()), Err(Unpackable::Link(name)) if name == "link"),
                "{target}"
            );
        }
    }

    #[test]
    fn an_ignored_link_is_nobodys_business() {
        let from = folder(["a"]);
        symlink("/etc", from.path().join("link")).unwrap();
        put(from.path(), ".fenrirignore", b"link\n");
        assert_eq!(names(from.path()), ["a"]);
    }
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) {}
