//! The library builds where there is no standard library.

use std::env;
use std::path::Path;
use std::process::Command;

/// Targets without an operating system, from the smallest on.
const BARE_METAL: [&str; 3] =
    ["thumbv6m-none-eabi", "thumbv7m-none-eabi", "riscv32imac-unknown-none-elf"];

#[test]
fn builds_without_std_on_every_bare_metal_target_installed() {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let sysroot = Command::new(rustc).args(["--print", "sysroot"]).output().expect("rustc runs");
    let sysroot = String::from_utf8(sysroot.stdout).expect("a path in UTF-8");
    let installed: Vec<_> = BARE_METAL
        .into_iter()
        .filter(|target| Path::new(sysroot.trim()).join("lib/rustlib").join(target).exists())
        .collect();
    if installed.is_empty() {
        println!(
            "no bare-metal target is installed; `rustup target add {}` adds one",
            BARE_METAL[1]
        );
    }
    for target in installed {
        for features in ["", "graph", "journal", "alloc"] {
            let check = Command::new(env!("CARGO"))
                .args([
                    "check",
                    "--quiet",
                    "--locked",
                    "--no-default-features",
                    "--features",
                    features,
                ])
                .args(["--target", target, "--target-dir"])
                .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("no_std"))
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .output()
                .expect("cargo runs");
            let words = String::from_utf8_lossy(&check.stderr);
            assert!(check.status.success(), "{target}, features {features:?}:\n{words}");
        }
    }
}
