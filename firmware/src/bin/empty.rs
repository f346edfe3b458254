//! The program that does nothing: what start-up costs before the library comes in.

#![no_std]
#![no_main]

#[path = "../on_panic/link_error.rs"]
mod on_panic;

#[cortex_m_rt::entry]
fn main() -> ! {
    loop {
        cortex_m::asm::wfi();
    }
}
