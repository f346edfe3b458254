//! The smaller examples, run as programs: what they show holds.
#![cfg(feature = "graph")]

use std::env;
use std::path::Path;
use std::process::Command;

/// What an example writes; tests stand in `deps`, beside `examples`.
fn run(name: &str, args: &[&str]) -> String {
    let test = env::current_exe().expect("a test knows its path");
    let target = test.ancestors().nth(2).expect("tests stand in deps");
    let path = target.join("examples").join(format!("{name}{}", env::consts::EXE_SUFFIX));
    assert!(path.is_file(), "{} is missing; `cargo build --examples` makes it", path.display());
    let output = Command::new(path).args(args).output().expect("the program starts");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {err}");
    String::from_utf8(output.stdout).expect("the program writes UTF-8")
}

#[test]
fn two_gateways_agree_once_they_have_exchanged_snapshots() {
    let out = run("gateways", &[]);
    let counts = |when: &str| -> Vec<_> {
        let lines = out.lines().filter_map(|line| line.strip_prefix(when));
        lines.filter_map(|line| Some(line.split_once(": ")?.1.to_owned())).collect()
    };
    let [before, after] = ["before", "after"].map(counts);
    assert!(before.len() == 2 && before[0] != before[1], "{out}");
    assert!(after.len() == 2 && after[0] == after[1], "{out}");
    assert!(!out.contains(" 0 pieces damaged"), "the link is a bad one: {out}");
}

#[test]
fn reports_of_three_protocols_are_events() {
    let out = run("adapters", &[]);
    let first = "dock-7   pending        2026-11-21T09:30:00Z\n";
    assert!(out.starts_with(first), "{out}");
    assert_eq!(out.lines().count(), 4);
}

#[cfg(all(feature = "alloc", target_pointer_width = "64"))]
#[test]
fn a_device_of_a_fleet_takes_what_the_readme_says() {
    let out = run("shards", &[]);
    assert!(out.contains("\n60000 devices and "), "{out}");
    let bytes = out.trim_end().rsplit_once(" = ").expect("a sum").1;
    let (whole, _) = bytes.split_once('.').expect("tenths");
    let readme = include_str!("../README.md");
    assert!(readme.contains(&format!("{whole} bytes a device on x86-64")), "{out}");
}

/// Sizes are those of a 64-bit machine.
#[test]
#[cfg(target_pointer_width = "64")]
fn the_readme_has_the_sizes_that_the_compiler_has() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    run("sizes", &["--check", readme.to_str().expect("a path in UTF-8")]);
}
