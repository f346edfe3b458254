//! The linker's scripts, and the memory of the board that a target stands for.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=memory");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return;
    }
    let board = match env::var("TARGET").as_deref() {
        Ok("thumbv6m-none-eabi") => "memory/nrf51.x",
        _ => "memory/lm3s6965.x",
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo gives a directory"));
    fs::copy(board, out.join("memory.x")).expect("the directory can be written");

    println!("cargo::rustc-link-search={}", out.display());
    // Small as they are, sections need not begin on a page of their own.
    println!("cargo::rustc-link-arg-bins=--nmagic");
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    // These link panics. Which ones, `panics` says from the relocations.
    for program in ["durable", "json", "json_rows", "requests", "scripts"] {
        println!("cargo::rustc-link-arg-bin={program}=--defsym=a_panicking_path_is_linked=0");
        println!("cargo::rustc-link-arg-bin={program}=--emit-relocs");
    }
    println!("cargo::rustc-link-arg-bin=journal=--emit-relocs");
    if env::var_os("CARGO_FEATURE_DEFMT").is_some() {
        println!("cargo::rustc-link-arg-bins=-Tdefmt.x");
    }
}
