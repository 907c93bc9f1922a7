//! What is found in trees of real files.

use std::fs;

use tempfile::TempDir;

use super::*;

fn tree(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

/// What is found, relative to the root.
fn found(root: &TempDir, given: &[&str], limit: usize) -> Vec<String> {
    let given: Vec<PathBuf> = given.iter().map(|path| root.path().join(path)).collect();
    let found = find(&given, limit, &[]).unwrap();
    assert!(found.unreadable.is_empty(), "{:?}", found.unreadable);
    let relative = |path: &Arc<PathBuf>| path.strip_prefix(root.path()).unwrap().display().to_string();
    found.files.iter().map(relative).collect()
}

#[test]
fn files_come_by_name_without_the_ignored_ones_and_git_s_own() {
    let root = tree(&[
        (".gitignore", "target\n*.log\n!keep.log\n"),
        (".ignore", "notes.md\n"),
        (".git/config", ""),
        ("sub/.git", "gitdir: elsewhere"),
        ("sub/.hidden", ""),
        ("sub/a.log", ""),
        ("sub/keep.log", ""),
        ("sub/.gitignore", "local\n"),
        ("sub/local/x", ""),
        ("target/x", ""),
        ("notes.md", ""),
    ]);
    let all = [".gitignore", ".ignore", "notes.md", "sub/.gitignore", "sub/.hidden", "sub/keep.log"];
    assert_eq!(found(&root, &[""], usize::MAX), all);
    assert_eq!(found(&root, &[""], 2), [".gitignore", ".ignore"]);
    // What is asked for by name is not ignored.
    assert_eq!(found(&root, &["target", "sub/a.log"], usize::MAX), ["target/x", "sub/a.log"]);
}

#[test]
fn a_file_that_several_paths_reach_is_found_once_under_the_first() {
    let root = tree(&[("a/1", ""), ("a/2", ""), ("b", "")]);
    assert_eq!(found(&root, &["a/2", "a", "a", "./a/../a", ""], usize::MAX), ["a/2", "a/1", "b"]);
}

#[cfg(unix)]
#[test]
fn links_are_followed_where_they_are_given_and_passed_by_where_they_are_met() {
    let root = tree(&[("a/1", ""), ("b/2", "")]);
    std::os::unix::fs::symlink(".", root.path().join("a/loop")).unwrap();
    std::os::unix::fs::symlink("../b/2", root.path().join("a/to_file")).unwrap();
    std::os::unix::fs::symlink("nowhere", root.path().join("a/broken")).unwrap();
    assert_eq!(found(&root, &["a"], usize::MAX), ["a/1"]);
    assert_eq!(found(&root, &["a/loop", "a"], usize::MAX), ["a/loop/1"]);
    assert_eq!(found(&root, &["a/to_file", "b"], usize::MAX), ["a/to_file"]);
    let broken = root.path().join("a/broken");
    let Err(Failure::Message(message)) = find(std::slice::from_ref(&broken), 1, &[]) else {
        panic!("found a broken link")
    };
    assert_eq!(message, format!("cannot analyse `{}`: No such file or directory (os error 2)", broken.display()));
}

#[cfg(unix)]
#[test]
fn what_is_no_file_fails_where_it_is_given_and_is_passed_by_where_it_is_met() {
    let root = tree(&[("a", "")]);
    let socket = root.path().join("socket");
    let _bound = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert_eq!(found(&root, &[""], usize::MAX), ["a"]);
    let found = find(&[socket.clone(), PathBuf::from("/dev/null")], 10, &[]).unwrap();
    let unreadable: Vec<_> = found.unreadable.iter().map(|f| (f.path.as_path(), &*f.kind, &*f.message)).collect();
    let message = "not a regular file: accepted are files and directories";
    let null = Path::new("/dev/null");
    assert_eq!(unreadable, [(socket.as_path(), "invalid_input", message), (null, "invalid_input", message)]);
    assert!(found.files.is_empty());
}

#[test]
fn exceptions_are_left_out_however_they_are_reached() {
    let root = tree(&[("a", ""), ("traces", "")]);
    let except = root.path().join("./traces");
    let found = find(&[root.path().to_path_buf()], 10, &[except, root.path().join("missing")]).unwrap();
    assert_eq!(found.files, [Arc::new(root.path().join("a"))]);
}

#[test]
fn errors_of_the_walk_give_the_path_and_the_system_s_reason() {
    let denied = || std::io::Error::from_raw_os_error(13);
    // As the walk wraps it: an error of its own around the system's.
    #[derive(Debug)]
    struct Around(std::io::Error);
    impl std::fmt::Display for Around {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "IO error for operation on a/b: {}", self.0)
        }
    }
    impl Error for Around {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }
    let io = ignore::Error::Io(std::io::Error::other(Around(denied())));
    let with_path = ignore::Error::WithPath { path: "a/b".into(), err: Box::new(io) };
    let error = ignore::Error::WithDepth { depth: 2, err: Box::new(with_path) };
    assert_eq!(path_of(&error), Some(Path::new("a/b")));
    assert_eq!(reason(&error), denied().to_string());
    let odd = ignore::Error::InvalidDefinition;
    assert_eq!((path_of(&odd), reason(&odd)), (None, odd.to_string()));
}
