//! A panic is an error of the linker: what it would call does not exist.
//!
//! For the programs in which panics are linked, `build.rs` defines it, as an address, and `panics`
//! looks at who can get there.

use core::panic::PanicInfo;

#[panic_handler]
fn on_panic(_: &PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        fn a_panicking_path_is_linked() -> !;
    }
    // SAFETY: never runs, since it never links.
    unsafe { a_panicking_path_is_linked() }
}
