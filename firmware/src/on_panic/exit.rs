//! A panic ends the run with a status that is not zero.

use core::panic::PanicInfo;

use semihosting::{eprintln, process};

#[panic_handler]
fn on_panic(info: &PanicInfo<'_>) -> ! {
    eprintln!("{info}");
    process::exit(101);
}
