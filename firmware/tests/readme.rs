//! The README shows code that is built.

#[test]
fn the_readme_shows_what_is_built() {
    let readme = include_str!("../README.md");
    let built = [include_str!("../src/bin/mesh.rs"), include_str!("../src/bin/journal/main.rs")];
    let shown: Vec<&str> =
        readme.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!shown.is_empty());
    for shown in shown {
        assert!(built.iter().any(|built| built.contains(shown)), "not built:\n{shown}");
    }
}
