//! How far down a call reaches: what lies below is painted, then looked at.

use core::ptr;

const PAINT: u32 = 0xC0_FF_EE_11;

unsafe extern "C" {
    /// The first word after every static, where the stack would end; cortex-m-rt's.
    static mut __sheap: u32;
}

/// Bytes of stack that `call` takes, with what it is given and what it gives back.
#[inline(never)]
pub(crate) fn depth(call: impl FnOnce()) -> u32 {
    let bottom = &raw mut __sheap;
    let top = cortex_m::register::msp::read() as *mut u32;

    let mut word = bottom;
    while word < top {
        // SAFETY: between the statics and the stack in use, which no interrupt makes longer, there
        // is RAM that belongs to nothing.
        unsafe {
            ptr::write_volatile(word, PAINT);
            word = word.add(1);
        }
    }

    apart(call);

    let mut word = bottom;
    // SAFETY: as above.
    while word < top && unsafe { ptr::read_volatile(word) } == PAINT {
        // SAFETY: as above.
        word = unsafe { word.add(1) };
    }
    assert!(word > bottom, "the stack ran into the statics");
    // SAFETY: both point into the RAM.
    unsafe { top.offset_from_unsigned(word) as u32 * 4 }
}

/// Keeps the call's own variables out of the caller's frame.
#[inline(never)]
fn apart(call: impl FnOnce()) {
    call();
}
